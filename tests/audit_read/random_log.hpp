#pragma once
// A log and what happens to logs, by chance: lines, parts of lines, rotation, copytruncate,
// compression.

#include "tests/audit_read/log_fixture.hpp"

#include <cstddef>
#include <ctime>
#include <random>
#include <string>
#include <vector>

namespace lilith::test {

class RandomLog {
 public:
  struct Kind {
    bool events = true;    // lines of a chain, else any text
    bool classic = false;  // PATH.1, PATH.2 ..., else PATH.<20 digits>
    // Also lines that are no events (foreign text, a NUL, invalid UTF-8), events of 32 KiB, events
    // with "poison" in their command, and single bytes.
    bool odd = false;
  };
  // The directory of `path` holds nothing else whose name begins with `path`. `random` must outlive
  // this.
  RandomLog(std::string path, Kind kind, std::mt19937_64& random, ChainWriter chain = ChainWriter())
      : path_(std::move(path)), kind_(kind), random_(random), chain_(std::move(chain)) {}

  // One random thing.
  void step();
  // Ends the line under way, if there is one.
  void finish();
  // Whole lines so far, without LF; none comes twice.
  [[nodiscard]] const std::vector<std::string>& written() const { return written_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  std::string next_line();
  std::string odd_line(const std::string& number);
  void append(std::string_view bytes);
  void write_line();
  void write_part();
  std::string rotated_name();
  void rotate();
  void copy_truncate();
  void compress_one();

  std::string path_;
  Kind kind_;
  std::mt19937_64& random_;
  ChainWriter chain_;
  std::size_t number_ = 0, at_ = 0, lines_in_file_ = 0, rotations_ = 0;
  time_t clock_ = 1'700'000'000;
  std::string partial_;
  std::vector<std::string> written_;
};

}  // namespace lilith::test
