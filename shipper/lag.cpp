#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/codec.hpp"
#include "audit/log.hpp"
#include "shipper/counters.hpp"
#include "shipper/line.hpp"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

constexpr std::size_t kNone = std::string::npos;

// `size` bytes from `offset`, or fewer.
std::string read_part(int fd, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  const ssize_t got = ::pread(fd, out.data(), size, static_cast<off_t>(offset));
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

struct Ends {
  std::uint64_t first_seq = 0, last_seq = 0;
  std::string chain_id;  // of the last line
};

// The last whole line of the live log, and the seq with which its series begins.
std::optional<Ends> ends_of(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status{};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const auto want = std::min<std::uint64_t>(size, 2 * limits::kEventLineBytesMax);
  std::string tail = read_part(fd.get(), size - want, want);
  const std::size_t end = tail.rfind('\n');
  if (end == kNone) return std::nullopt;
  tail.resize(end);
  const std::size_t before = tail.rfind('\n');
  const std::string last = before == kNone ? tail : tail.substr(before + 1);
  const auto fields = audit::chain_fields(last);
  if (!fields) return std::nullopt;
  Ends ends;
  ends.last_seq = fields->seq;
  ends.chain_id = fields->id;
  const auto rotated = audit::rotated_files(path);
  if (rotated && !rotated->empty()) {
    const std::string& oldest = rotated->front();
    const std::size_t digits = path.size() + 1;
    if (digits < oldest.size())
      std::from_chars(oldest.data() + digits, oldest.data() + oldest.size(), ends.first_seq);
  } else {
    const std::string head = read_part(fd.get(), 0, limits::kEventLineBytesMax);
    const auto first = audit::chain_fields(std::string_view(head).substr(0, head.find('\n')));
    if (first) ends.first_seq = first->seq;
  }
  return ends;
}

std::optional<std::uint64_t> events_behind(const std::string& source,
                                           const audit::Position& position) {
  const auto ends = ends_of(source);
  if (!ends) return std::nullopt;
  if (position.offset == 0 && position.seq == 0 && position.chain_id.empty()) {
    if (ends->first_seq == 0 || ends->first_seq > ends->last_seq) return std::nullopt;
    return ends->last_seq - ends->first_seq + 1;
  }
  if (position.seq == 0 || position.chain_id != ends->chain_id || position.seq > ends->last_seq)
    return std::nullopt;
  return ends->last_seq - position.seq;
}

}  // namespace

std::string_view name(SinkState state) {
  switch (state) {
    case SinkState::kDelivering:
      return "delivering";
    case SinkState::kRetrying:
      return "retrying";
    case SinkState::kFailed:
      break;
  }
  return "failed";
}

Result<Lag> lag_behind(const std::string& source, const audit::Position& position, WallTime now) {
  audit::FollowOptions options;
  options.path = source;
  options.batch_lines_max = 1;
  auto follower = audit::Follower::open(options, position);
  if (!follower) return pass_error(follower);
  Lag lag;
  lag.known = true;
  lag.bytes = (*follower)->lag_bytes();
  audit::FollowedLines next;
  std::string gap;
  auto read = (*follower)->read(next, gap);
  if (!read) return pass_error(read);
  // A torn line that its writer has not ended yet is not behind.
  if (next.ends.empty()) {
    lag.events = 0;
    return lag;
  }
  lag.events = events_behind(source, position);
  const LineFields fields =
      scan_line(std::string_view(next.bytes).substr(0, next.ends.front() - 1));
  if (const auto time = parse_time(fields.time); time && now > *time)
    lag.seconds = std::chrono::duration<double>(now - *time).count();
  return lag;
}

Result<void> measure_lag(SinkReport& report, WallTime now) {
  Lag sum;
  sum.known = true;
  sum.events = 0;
  for (SourceReport& source : report.sources) {
    auto lag = lag_behind(source.source, source.position, now);
    if (!lag) return pass_error(lag);
    source.lag = *lag;
    sum.bytes += lag->bytes;
    sum.seconds = std::max(sum.seconds, lag->seconds);
    if (!lag->events) sum.events.reset();
    if (sum.events) *sum.events += *lag->events;
  }
  report.lag = sum;
  return {};
}

}  // namespace lilith::shipper
