#include "audit/log_seal.hpp"

#include "audit/base/limits.hpp"
#include "audit/codec.hpp"
#include "audit/codec_view.hpp"
#include "audit/log_tail.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace lilith::audit {
namespace {

void count_line(SealRange& range, std::string_view line) {
  LineView view;
  if (view_line(line, view)) {
    if (view.seq >= range.first) ++range.counts[static_cast<std::size_t>(view.action)];
    return;
  }
  const auto event = decode(line);
  if (event && event->seq >= range.first) ++range.counts[static_cast<std::size_t>(event->action)];
}

}  // namespace

std::optional<SealReason> due_seal(const SealOptions& options, const SealKey& key, const Head& head,
                                   WallTime now) {
  if (key.sealed.seq == 0 || key.sealed.id != head.id) return SealReason::kBegin;
  const std::uint64_t events = head.seq - std::min(head.seq, key.sealed.seq);
  if (events == 0) return std::nullopt;
  if (options.events_max != 0 && events >= options.events_max) return SealReason::kInterval;
  // A clock that was put back would put the next checkpoint off as far.
  const bool old = now - key.sealed_at >= options.age_max || now < key.sealed_at;
  if (options.age_max.count() != 0 && old) return SealReason::kInterval;
  return std::nullopt;
}

SealNear near_seal(const SealOptions& options, const SealKey& key, const Head& head, WallTime now) {
  constexpr std::uint64_t kShare = 16, kAsked = 8;
  if (key.sealed.seq == 0 || key.sealed.id != head.id || head.seq <= key.sealed.seq) return {};
  const auto age_near = options.age_max - options.age_max / static_cast<std::int64_t>(kShare);
  if (options.age_max.count() != 0 && now - key.sealed_at >= age_near) return {true, true};
  const std::uint64_t events = head.seq - key.sealed.seq;
  const std::uint64_t ahead = std::max<std::uint64_t>(1, options.events_max / kShare);
  if (options.events_max < 2 || events + ahead < options.events_max) return {};
  const std::uint64_t every = std::max<std::uint64_t>(1, ahead / kAsked);
  return {true, (events + ahead - options.events_max) % every == 0};
}

Result<SealRange> count_range(int fd, std::uint64_t size, std::uint64_t sealed_seq) {
  SealRange range{sealed_seq + 1, {}};
  std::string rest;
  for (std::uint64_t at = 0; at < size;) {
    auto chunk = read_at(fd, at, std::min<std::uint64_t>(limits::kReaderChunkBytes, size - at));
    if (!chunk) return pass_error(chunk);
    if (chunk->empty()) break;
    at += chunk->size();
    rest += *chunk;
    std::size_t from = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', from)) {
      count_line(range, std::string_view(rest).substr(from, end - from));
      from = end + 1;
    }
    rest.erase(0, from);
  }
  return range;
}

}  // namespace lilith::audit
