#pragma once
// The files that together are one log: the rotated ones and the one being written.

#include "audit/base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::audit {

struct LogFile {
  std::string path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  // as stored
  std::int64_t mtime_ns = 0;
  bool live = false;              // the path itself
  std::string first_line_sha256;  // of the content before compression, NULs in front left out;
                                  // empty while the first line has no LF or can't be read
  std::string chain_id;           // of that line when it is an event of ours
  std::uint64_t seq = 0;
};

// Oldest first, the live file last. Belonging names: PATH.<seq, 20 digits> (audit/log.hpp), PATH.1,
// PATH-20261124 (logrotate), each also with .gz or .zst. While a file is being compressed both
// forms exist: the plain one is taken. Hard links of one file count once. Ordered by the seq of
// their first lines when all belong to one chain, else by time of last writing. Empty when there is
// none.
[[nodiscard]] Result<std::vector<LogFile>> log_series(const std::string& path);

// The path without what rotation and compression put behind it: a.log.00000000000000000007.zst and
// a.log.2.gz give a.log.
[[nodiscard]] std::string live_path(const std::string& path);

// Paths of the logs in a directory, sorted: files named *.log, *.jsonl, *.ndjson, and any that have
// rotated files beside them (even if the live one is gone).
[[nodiscard]] Result<std::vector<std::string>> logs_in(const std::string& directory);

}  // namespace lilith::audit
