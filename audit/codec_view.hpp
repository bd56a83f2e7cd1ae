#pragma once
// An event's line taken apart without decoding it. Lines of our own writer have one layout
// (docs/event.md: fixed order, no blanks, empty members left out); whoever reads many of them needs
// a few members of each and copies nothing. The Decoder of codec.hpp begins with the same walk, so
// that both see one event.

#include "audit/event.hpp"

#include <string>
#include <string_view>

namespace lilith::audit {

// Views into the line, valid as long as it is. A text is what stands between its quotes, escapes
// and the blank before a bracket still in it: text_of() gives the value. Absent members are empty.
struct LineView {
  EventType type = EventType::kDecision;
  Verdict decision = Verdict::kNone;
  Mode mode = Mode::kEnforce;
  Enforcement enforcement = Enforcement::kAdvisory;
  Via via = Via::kDirect;
  Action action = Action::kNone;
  Category category = Category::kToolInvocation;
  OperationKind operation_kind = OperationKind::kOther;
  OperationKind call_kind = OperationKind::kOther;
  bool escaped = false;  // some text of this line has a backslash
  WallTime time{};
  std::string_view time_text;  // as it stands in the line; empty in a view of an event
  std::uint64_t seq = 0;
  std::int64_t process_pid = 0, policy_line = 0, uid = -1, operations = 0, decide_us = 0;
  std::int64_t operation_port = 0, peer_pid = 0, peer_uid = -1;

  std::string_view process_key, process_exe, host, id, technique, rule, reason_code, reason;
  std::string_view policy_sha256, agent, session, hook, call_id, child, user, tool, server;
  std::string_view operation_path, operation_program, operation_command, operation_host;
  std::string_view operation_protocol, operation_url, operation_server, operation_name;
  std::string_view call_command, call_arguments, call_undecidable, home, cwd, engine;
  std::string_view truncated, redacted, chain_id, chain_prev, chain_hash;
  // What stands between the brackets of a list, and between the braces of `detail`.
  std::string_view also, call_paths, call_urls, fact_paths, trusted_programs, detail;
  // Whole objects with their braces: equal bytes are equal values.
  std::string_view call, facts;
};

// False: the line is not in the layout of our writer (another version's, another program's, or no
// event at all), and only the Decoder can say what it is. True: the Decoder accepts it as well, and
// its event has these values.
[[nodiscard]] bool view_line(std::string_view line, LineView& view);

// The value of a text of `view`: the same bytes, or, where they hold escapes, `scratch` with the
// value in it.
[[nodiscard]] std::string_view text_of(const LineView& view, std::string_view raw,
                                       std::string& scratch);
// A text of a view as JSON: without the blank before a bracket, with its escapes.
[[nodiscard]] inline std::string_view without_guard(std::string_view raw) {
  if (!raw.starts_with(' ')) return raw;
  const std::size_t at = raw.find_first_not_of(' ');
  return at != std::string_view::npos && raw[at] == '[' ? raw.substr(1) : raw;
}
// The next member of `rest`, which begins as `detail` of a view and loses it; false at its end. The
// key and the value as they stand in the line.
[[nodiscard]] bool next_detail(std::string_view& rest, std::string_view& key,
                               std::string_view& value);
// The value of one key in `detail`; empty when absent.
[[nodiscard]] std::string_view detail_of(const LineView& view, std::string_view key,
                                         std::string& scratch);

// A view of an event: as view_line() would give it of the line that has it, but for `also`, the
// lists and the whole objects of `call` and `facts`, which stay empty. `texts` holds what it views.
void to_view(const Event& event, LineView& view, std::string& texts);

// Sets every member of `event`; keeps the memory of its strings.
void to_event(const LineView& view, Event& event);

}  // namespace lilith::audit
