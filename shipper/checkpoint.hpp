#pragma once
// How far a sink has got in each source. Written after delivery, by write, fsync, rename; two
// generations are kept, so that one that cannot be read costs repeats and never events.

#include "audit/base/result.hpp"
#include "audit/cursors.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lilith::shipper {

using audit::Cursors;

struct CheckpointLoad {
  Cursors cursors;
  std::string problem;  // a sentence when a generation was damaged and set aside, empty otherwise
};

// Files: DIRECTORY/NAME.checkpoint.json and NAME.checkpoint.1.json.
class CheckpointFile {
 public:
  CheckpointFile(const std::string& directory, const std::string& sink);
  [[nodiscard]] CheckpointLoad load() const;
  [[nodiscard]] Result<void> save(const Cursors& cursors) const;

 private:
  std::string path_, previous_;
};

// Saves on a thread of its own, so that delivery does not wait for the disk; of cursors that come
// faster than they can be written only the last ones are.
class CheckpointWriter {
 public:
  CheckpointWriter(CheckpointFile file, std::function<void(const Error&)> failed);
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;
  [[nodiscard]] const CheckpointFile& file() const { return file_; }

  void post(Cursors cursors);
  // Returns when what was posted is on disk, or could not be written.
  void flush();
  // Whether the last cursors could not be written; they should be posted again.
  [[nodiscard]] bool owes() const { return owes_.load(); }

 private:
  void run();

  CheckpointFile file_;
  std::function<void(const Error&)> failed_;
  std::atomic<bool> owes_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Cursors> next_;  // guarded by mutex_, as are the following
  bool writing_ = false, end_ = false;
  std::thread thread_;
};

}  // namespace lilith::shipper
