#pragma once
// What the end of a log file looks like; for log.cpp only.

#include "audit/base/result.hpp"
#include "audit/log_state.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace lilith::audit {

struct Tail {
  Head head;                  // of the last whole line that is an event
  std::uint64_t garbage = 0;  // bytes of whole lines after it that are no events
  std::string torn;           // bytes after the last LF
  bool found = false;         // whether there is any event
};

// Reads `size` bytes at `offset`, fewer only at the end of the file.
[[nodiscard]] Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t size);
// Walks back from the end to the last line that is an event. `size`: of the file.
[[nodiscard]] Result<Tail> read_tail(int fd, std::uint64_t size);

}  // namespace lilith::audit
