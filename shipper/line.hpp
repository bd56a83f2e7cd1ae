#pragma once
// What the shipper needs of an event line, without decoding the rest of it: whether it is an event,
// and the few members that headers, keys, filters and ids are made of. A partial reader of the
// layout that audit/codec.hpp writes; every other layout goes to that codec.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::shipper {

// Whether a line is an event that may be shipped.
struct LineKind {
  std::optional<std::string> why_not;
  // Where the digits of lilith.seq begin, so that they need not be looked for again; 0: the line
  // has another layout than ours.
  std::size_t seq_at = 0;
};
// `may_have_nul`: false when the caller knows that there is none.
[[nodiscard]] LineKind line_kind(std::string_view line, bool may_have_nul);

// Views into the line, as they stand there (JSON escapes included); empty where a member is absent
// or the line has another layout than ours.
struct LineFields {
  std::string_view event, host, seq, time, id, pid;
  std::string_view agent;             // lilith.agent.name
  std::string_view action, category;  // of the top level
  std::string_view chain_id;
};
[[nodiscard]] LineFields scan_line(std::string_view line);
// host, seq, time and id alone, as they stand around `seq_at` of line_kind(); scan_line() where
// they don't.
[[nodiscard]] LineFields scan_around_seq(std::string_view line, std::size_t seq_at);

// scan_line() without agent and chain_id, and without reading again what is as in the line before:
// consecutive events mostly differ only behind `"seq":"`.
class HeadScanner {
 public:
  // The fields are valid as long as the line and, for event, host and pid, until the next call.
  const LineFields& scan(std::string_view line);
  // Whether event, host and pid of the last line are those of the line before it.
  [[nodiscard]] bool same_head() const { return same_; }

 private:
  std::string head_;  // of the line scanned in full last, up to and with `"seq":"`
  LineFields fields_;
  bool same_ = false;
};

}  // namespace lilith::shipper
