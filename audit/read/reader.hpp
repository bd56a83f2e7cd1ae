#pragma once
// Reading audit logs: once through (LineReader) and for ever (Follower).

#include "audit/base/result.hpp"
#include "audit/position.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::audit {

// Reads a file from its start to its end, line by line; plain, gzip (RFC 1952) or zstd (RFC 8878),
// told apart by content. "-" is standard input.
class LineReader {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LineReader>> open(const std::string& path);
  virtual ~LineReader() = default;

  enum class Status {
    kLine,     // `line` holds a whole line without its LF
    kTorn,     // `line` holds the bytes after the last LF; the file ends there
    kTooLong,  // a line of more than limits::kReaderLineBytesMax was skipped; `line` holds its
               // beginning
    kEnd,
  };
  // The view is valid until the next call that has_line() did not announce. Errors: damaged
  // compression, I/O.
  [[nodiscard]] virtual Result<Status> next(std::string_view& line) = 0;
  // Whether the next line is in memory already, behind the one before it.
  [[nodiscard]] virtual bool has_line() = 0;
  [[nodiscard]] virtual std::uint64_t line_number() const = 0;  // of the line last returned, from 1
};

struct FollowedLines {
  std::string bytes;              // whole lines, each with its LF
  std::vector<std::size_t> ends;  // offset in `bytes` after each line's LF
  std::vector<Position>
      positions;     // one entry: after the last line. position_after() makes those in between
  std::string file;  // where they came from, for messages
};

// The position after line `index` of what Follower::read() gave, for a sink that took only a part.
[[nodiscard]] Position position_after(const FollowedLines& lines, std::size_t index);

struct FollowOptions {
  std::string path;
  std::size_t batch_bytes_max = std::size_t{256} * 1024;
  std::size_t batch_lines_max = 1024;
};

// Follows a log over rename rotation, compression of rotated files, copytruncate and restarts.
// Rotated files that were not read to their end come first, oldest first. A line without LF waits.
// Does not block and does not watch: the owner calls read() after inotify or a timer says so.
class Follower {
 public:
  // `start` empty offset and identity: from the oldest rotated file's beginning.
  [[nodiscard]] static Result<std::unique_ptr<Follower>> open(const FollowOptions& options,
                                                              const Position& start);
  virtual ~Follower() = default;

  // The next lines, empty `ends` when there are none now. A file that got shorter or a vanished one
  // is reported through `gap` (a sentence for a ship_loss event) and reading goes on at what is
  // there.
  [[nodiscard]] virtual Result<void> read(FollowedLines& out, std::string& gap) = 0;
  // Back to `position`, for lines that a sink did not take.
  [[nodiscard]] virtual Result<void> seek(const Position& position) = 0;
  // Bytes between the position and the end of all files, for lag metrics.
  [[nodiscard]] virtual std::uint64_t lag_bytes() const = 0;
};

}  // namespace lilith::audit
