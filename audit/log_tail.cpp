#include "audit/log_tail.hpp"

#include "audit/base/limits.hpp"
#include "audit/codec.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace lilith::audit {
namespace {

constexpr std::size_t kFirstTailStepBytes = 4096;

}  // namespace

Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got =
        ::pread(fd, out.data() + have, size - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("cannot read the log");
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  out.resize(have);
  return out;
}

Result<Tail> read_tail(int fd, std::uint64_t size) {
  Tail tail;
  std::string bytes;
  // Most lines are short, and every page that is read into costs a hook a page fault.
  std::uint64_t step_max = kFirstTailStepBytes;
  for (std::uint64_t from = size;;) {
    const std::uint64_t step = std::min(from, std::exchange(step_max, limits::kEventLineBytesMax));
    auto more = read_at(fd, from - step, step);
    if (!more) return pass_error(more);
    from -= step;
    bytes.insert(0, *more);
    const std::size_t last_lf = bytes.rfind('\n');
    const bool give_up = from == 0 || bytes.size() >= limits::kTailSearchBytesMax;
    if (last_lf == std::string::npos && !give_up) continue;
    const std::size_t whole = last_lf == std::string::npos ? 0 : last_lf + 1;
    std::size_t end = whole;
    while (end > 0) {
      const std::size_t before = end >= 2 ? bytes.rfind('\n', end - 2) : std::string::npos;
      if (before == std::string::npos && !give_up) break;  // the line may begin further up
      const std::size_t start = before == std::string::npos ? 0 : before + 1;
      const std::string_view line = std::string_view(bytes).substr(start, end - 1 - start);
      if (const auto fields = chain_fields(line)) {
        tail.head = {std::string(fields->id), std::string(fields->hash), fields->seq};
        tail.found = true;
        tail.garbage = whole - end;
        tail.torn = bytes.substr(whole);
        return tail;
      }
      end = start;
    }
    if (give_up) {
      tail.garbage = whole;
      tail.torn = bytes.substr(whole);
      return tail;
    }
  }
}

}  // namespace lilith::audit
