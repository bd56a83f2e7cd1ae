#include "tests/audit/codec_properties.hpp"

#include "audit/codec.hpp"
#include "audit/codec_view.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace lilith::test {

using namespace audit;

namespace {

// The view takes numbers that fit into 64 bits by their length alone; longer ones are read member
// by member.
bool is_short(const Event& event) {
  constexpr std::int64_t kLeast = 1'000'000'000'000'000'000;  // of 19 digits
  const std::array numbers{event.process_pid, event.facts.uid, event.decide_us, event.peer_pid,
                           event.peer_uid};
  return event.seq < static_cast<std::uint64_t>(kLeast) &&
         std::all_of(
             numbers.begin(), numbers.end(),
             [](std::int64_t one) { return one < kLeast && one > -kLeast; });
}

// Nothing in it but what this version writes by itself: no unknown members, and no keys in `detail`
// that nobody of ours would choose.
bool is_plain(const Event& event) {
  return event.unknown.empty() && is_short(event) &&
         std::none_of(event.detail.begin(), event.detail.end(), [](const auto& entry) {
           return std::any_of(entry.first.begin(), entry.first.end(), [](char c) {
             return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7F;
           });
         });
}

}  // namespace

std::string codec_fault(std::string_view line) {
  const auto event = decode(line);
  LineView view;
  const bool viewed = view_line(line, view);
  if (viewed && !event) return "viewed, but not decoded: " + event.error().message;
  if (viewed) {
    std::string scratch;
    if (text_of(view, view.host, scratch) != event->host ||
        text_of(view, view.truncated, scratch) != event->truncated) {
      return "a text of the view is not the event's";
    }
    for (const auto& [key, value] : event->detail) {
      if (detail_of(view, key, scratch) != value) return "a detail of the view is not the event's";
    }
  }
  // A blank in front of the first key: the same JSON, and not the layout of the writer, so that it
  // is read member by member.
  if (line.starts_with('{')) {
    const auto slowly = decode("{ " + std::string(line.substr(1)));
    if (event.has_value() != slowly.has_value()) {
      return "decoded in one layout only: " + (event ? slowly : event).error().message;
    }
    if (event && *event != *slowly) return "two layouts give two events";
    if (!event && event.error().message != slowly.error().message) return "two complaints";
  }
  if (!event) return {};
  const std::string written = encode(*event);
  const auto again = decode(written);
  if (!again) return "what was written can't be read: " + again.error().message;
  if (encode(*again) != written) return "written twice, written differently";
  if (view_line(written, view) != is_plain(*event)) return "own layout not recognised";
  return {};
}

}  // namespace lilith::test
