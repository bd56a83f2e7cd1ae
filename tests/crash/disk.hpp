#pragma once
// A disk that loses power. The program under test writes real files below one folder; every call
// that changes one is recorded (the linker puts this between the program and the C library, see
// CMakeLists.txt). Of the records any state is made that a power cut may leave: what was synced is
// there, of the rest a part.
//
// The model: bytes of one file become durable in the order in which they were written, names of one
// folder in the order in which they were made, and files and folders independently of each other.
// fsync(2) and fdatasync(2) of a file make its bytes durable, fsync(2) of a folder its names; a
// name whose file was not synced may lead to an empty file. File systems with a journal promise
// more.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace lilith::test {

class Disk {
 public:
  // Folders below `root` that exist now stay; everything below it is recorded from here on.
  explicit Disk(std::string root);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  [[nodiscard]] std::size_t steps() const;  // calls that were recorded
  void stop();                              // records no more

  // What of the unsynced part of a file or a folder survives a cut.
  struct Luck {
    // Of `count` unsynced steps of the file or folder `name`: how many become durable.
    std::function<std::size_t(const std::string& name, std::size_t count, bool is_folder)> durable;
    // Of the write that comes next, `size` bytes: how many do, and whether the length of all does,
    // with zeros.
    std::function<std::size_t(std::size_t size)> torn;
    std::function<bool()> zeros;
  };
  struct File {
    std::size_t id = 0;  // two names of one file have the same
    std::string bytes;
    friend bool operator==(const File&, const File&) = default;
  };
  using Image = std::map<std::string, File>;  // by path
  // The files that are there when the power is cut after `steps` calls.
  [[nodiscard]] Image cut_after(std::size_t steps, const Luck& luck) const;
  [[nodiscard]] std::string history() const;  // one line a call
  // Makes the files below the root those of `image`.
  void restore(const Image& image) const;

 private:
  std::string root_;
};

}  // namespace lilith::test
