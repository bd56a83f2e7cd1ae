#include "audit/read/withheld.hpp"

#include "audit/base/number.hpp"

#include <algorithm>

namespace lilith::audit {
namespace {

// Of the list of one event. In ECS and OCSF the list stands twice, in the event's own bytes and in
// a member: with the rest of the line that stays below 8 KiB, rsyslog's maxMessageSize by default.
constexpr std::size_t kListBytesMax = 2'500;
// Of a list that is read: in an event of up to 32 KiB, whoever wrote it.
constexpr std::size_t kRangesMax = 16'000;

std::string range_text(std::uint64_t first, std::uint64_t last) {
  return first == last ? std::to_string(first) : std::to_string(first) + "-" + std::to_string(last);
}

std::string_view detail(const Event& event, std::string_view key) {
  for (const auto& [name, value] : event.detail)
    if (name == key) return value;
  return {};
}

Event event_of(const Withheld& withheld, std::string list, std::uint64_t count) {
  Event event;
  event.type = EventType::kWithheld;
  event.category = Category::kIntegrity;
  event.reason = "the route of sink " + withheld.sink + " kept " + std::to_string(count) +
                 (count == 1 ? " event" : " events") + " of this host's log back";
  event.detail = {{"sink", withheld.sink},
                  {"host", withheld.host},
                  {"chain", withheld.chain_id},
                  {"count", std::to_string(count)},
                  {"seqs", std::move(list)}};
  return event;
}

}  // namespace

std::string seqs_to_text(const SeqSet& seqs) {
  std::string out;
  for (const auto& [first, last] : seqs.ranges())
    out += (out.empty() ? "" : ",") + range_text(first, last);
  return out;
}

std::optional<SeqSet> seqs_from_text(std::string_view text) {
  SeqSet out;
  for (std::uint64_t above = 0;;) {
    const std::string_view one = text.substr(0, text.find(','));
    const std::size_t dash = one.find('-');
    const auto first = decimal(one.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : decimal(one.substr(dash + 1));
    if (!first || !last || *first > *last || *first <= above || *last > INT64_MAX)
      return std::nullopt;
    if (!out.add_above(*first, *last, kRangesMax)) return std::nullopt;
    above = *last + 1;  // the next seq would have been a part of this range
    if (one.size() == text.size()) return out;
    text.remove_prefix(one.size() + 1);
  }
}

std::vector<Event> withheld_events(const Withheld& withheld) {
  std::vector<Event> out;
  std::string list;
  std::uint64_t count = 0;
  for (const auto& [first, last] : withheld.seqs.ranges()) {
    const std::string range = range_text(first, last);
    if (list.size() + 1 + range.size() > kListBytesMax) {
      out.push_back(event_of(withheld, std::move(list), count));
      list.clear();
      count = 0;
    }
    list += (list.empty() ? "" : ",") + range;
    count += last - first + 1;
  }
  if (count > 0) out.push_back(event_of(withheld, std::move(list), count));
  return out;
}

std::optional<Withheld> withheld_of(const Event& event) {
  if (event.type != EventType::kWithheld) return std::nullopt;
  auto seqs = seqs_from_text(detail(event, "seqs"));
  if (!seqs || decimal(detail(event, "count")) != seqs->count()) return std::nullopt;
  Withheld out{std::string(detail(event, "sink")), std::string(detail(event, "host")),
               std::string(detail(event, "chain")), std::move(*seqs)};
  if (out.chain_id.empty()) return std::nullopt;
  return out;
}

}  // namespace lilith::audit
