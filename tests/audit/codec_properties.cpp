#include "tests/audit/codec_properties.hpp"

#include "audit/codec.hpp"
#include "audit/codec_view.hpp"

#include <algorithm>

namespace lilith::test {

using namespace audit;

namespace {

// Nothing in it but what this version writes by itself: no unknown members, and no keys in `detail`
// that nobody of ours would choose.
bool is_plain(const Event& event) {
  return event.unknown.empty() &&
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
