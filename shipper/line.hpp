#pragma once
// What the shipper needs of an event line, without decoding the rest of it: whether it is an event,
// and the few members that headers, keys, filters and ids are made of. A partial reader of the
// layout that audit/codec.hpp writes; every other layout goes to that codec.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::shipper {

// Where the members of a line in our layout stand, so that they need not be looked for again; all
// 0: the line has another layout. Lines are at most limits::kReaderLineBytesMax long.
struct LineMarks {
  std::uint32_t seq_at = 0;    // of the digits of lilith.seq
  std::uint32_t chain_at = 0;  // of the quote that ends `category`, before `chain`
};

// Whether a line is an event that may be shipped.
struct LineKind {
  std::optional<std::string> why_not;
  LineMarks marks;
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
// The same from the marks of line_kind(), where the line has any. Host, seq, time and id alone:
[[nodiscard]] LineFields scan_around_seq(std::string_view line, LineMarks marks);
// and all but agent and chain_id.
[[nodiscard]] LineFields scan_marked(std::string_view line, LineMarks marks);

}  // namespace lilith::shipper
