#include "audit/codec.hpp"
#include "shipper/line.hpp"
#include "shipper/syslog_format.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

namespace lilith::shipper {
namespace {

std::string message(const std::string& line, const SinkConfig& config = {}) {
  std::string out;
  MessageWriter(config).append(out, {line, line});
  return out;
}

audit::Event event_of(audit::Action action) {
  audit::Event event;
  event.host = "ws-42";
  event.process_key = "ws-42/4711/1";
  event.process_pid = 4711;
  event.time = parse_time("2026-11-04T00:20:42.831204Z").value();
  event.action = action;
  return event;
}

TEST(SyslogFormat, WritesTheDocumentedMessages) {
  std::string out;
  const std::string line = audit::encode(event_of(audit::Action::kDenied));
  for (const auto format : {SyslogFormat::kRfc5424, SyslogFormat::kRfc3164, SyslogFormat::kWazuh}) {
    SinkConfig config;
    config.format = format;
    out += message(line, config) + "\n";
  }
  test::expect_golden("syslog-messages.txt", out);
}

struct SeverityCase {
  const char* name;
  audit::Action action;
  int priority;  // facility 13 * 8 + severity
};
void PrintTo(const SeverityCase& c, std::ostream* out) { *out << c.name; }
class SyslogSeverity : public testing::TestWithParam<SeverityCase> {};
TEST_P(SyslogSeverity, FollowsTheAction) {
  const std::string out = message(audit::encode(event_of(GetParam().action)));
  EXPECT_TRUE(out.starts_with("<" + std::to_string(GetParam().priority) +
                              ">1 2026-11-04T00:20:42.831204Z ws-42 lilith 4711 decision - {"))
      << out.substr(0, 120);
}
INSTANTIATE_TEST_SUITE_P(Actions, SyslogSeverity,
                         testing::Values(SeverityCase{"denied", audit::Action::kDenied, 108},
                                         SeverityCase{"error", audit::Action::kError, 107},
                                         SeverityCase{"would_deny", audit::Action::kWouldDeny, 109},
                                         SeverityCase{"allowed", audit::Action::kAllowed, 110}),
                         [](const auto& case_info) { return std::string(case_info.param.name); });

// Outside values stand in front of the host and behind it; none of them may reach the header.
TEST(SyslogFormat, TakesNoHeaderFieldFromOutsideValues) {
  audit::Event event = event_of(audit::Action::kDenied);
  event.process_exe = R"(x","host":"evil","time":"1999)";
  event.reason = R"(","action":"allowed")";
  event.host = "a b\n";
  const std::string out = message(audit::encode(event));
  EXPECT_TRUE(out.starts_with(
      "<108>1 2026-11-04T00:20:42.831204Z a_b\\n lilith 4711 decision - {\"lilith\":{"))
      << out.substr(0, 120);
}

// The header's unchanged part is kept from line to line; it must never be kept too long.
TEST(SyslogFormat, ALongRunOfLinesGivesWhatEachLineGivesAlone) {
  std::vector<std::string> lines;
  for (const int host : {1, 1, 2, 2, 1}) {
    for (const auto action : {audit::Action::kDenied, audit::Action::kAllowed}) {
      for (const std::int64_t pid : {7, 7, 8}) {
        audit::Event event = event_of(action);
        event.host = "ws-" + std::to_string(host);
        event.process_pid = pid;
        event.seq = lines.size();
        event.time += std::chrono::seconds(lines.size());
        lines.push_back(audit::encode(event));
        lines.push_back(R"({"other":"layout"})");
      }
    }
  }
  MessageWriter writer{SinkConfig()};
  for (const std::string& line : lines) {
    std::string framed;
    writer.append_frame(framed, {line, line});
    const std::string alone = message(line);
    EXPECT_EQ(framed, std::to_string(alone.size()) + " " + alone);
  }
}

TEST(LineFields, AreThoseOfTheCodec) {
  audit::Event event = event_of(audit::Action::kWouldDeny);
  event.category = audit::Category::kEgress;
  event.seq = 77;
  event.id = "019ab337-0d5f-7cc3-98c4-dc0c0c07398f";
  event.agent = "claude_code";
  event.operation.kind = audit::OperationKind::kEgress;
  event.operation.host = "inner.example";
  const std::string line = audit::encode(event);
  const LineFields fields = scan_line(line);
  EXPECT_EQ(fields.event, "decision");
  EXPECT_EQ(fields.host, "ws-42");
  EXPECT_EQ(fields.pid, "4711");
  EXPECT_EQ(fields.seq, "77");
  EXPECT_EQ(fields.time, "2026-11-04T00:20:42.831204Z");
  EXPECT_EQ(fields.id, event.id);
  EXPECT_EQ(fields.agent, "claude_code");
  EXPECT_EQ(fields.action, "would_deny");
  EXPECT_EQ(fields.category, "egress");
}

TEST(LineFields, OfAnotherLayoutAreEmptyAndNeverGuessed) {
  for (const char* line : {"", "{", "{\"lilith\":{", R"({"a":"{\"lilith\":{\"host\":\"x\""})",
                           R"({"lilith":{"schema":1)", R"({"lilith":{"k":"\)"}) {
    const LineFields fields = scan_line(line);
    EXPECT_TRUE(fields.host.empty() && fields.action.empty()) << line;
  }
}

// What stands around seq is what a scan of the whole line finds, in our layout and in others.
TEST(LineFields, AreTheSameFoundFromTheSeq) {
  auto lines = test::lines_of(
      test::read_text(std::string(LILITH_SOURCE_DIR) + "/tests/golden/event-lines.ndjson"));
  ASSERT_FALSE(lines.empty());
  for (std::string& line : lines)  // they stand there before they are chained
    line.replace(line.rfind(R"("hash":"")") + 8, 0, std::string(64, 'a'));
  audit::Event event = event_of(audit::Action::kAllowed);
  event.chain_prev = event.chain_hash = std::string(64, 'a');
  event.chain_id = "c";
  for (const char* const host : {"ws-42", "", "a\"b", "a\\", R"(","seq":"7)"}) {
    event.host = host;
    lines.push_back(audit::encode(event));
  }
  event.host = "ws-42";
  for (const char* const key : {"", "k\"", "k\\", R"(","pid":7)", R"(","process":{"key":")", "{"}) {
    event.process_key = key;
    for (const std::int64_t pid : {0, 4711}) {
      event.process_pid = pid;
      event.process_exe = pid == 0 ? "" : R"(/x","pid":8)";
      lines.push_back(audit::encode(event));
    }
  }
  for (const std::string& line : lines) {
    const LineMarks marks = line_kind(line, true).marks;
    EXPECT_NE(marks.seq_at, 0U) << line;
    const LineFields whole = scan_line(line);
    const Line with{line, line, marks}, without{line, line, {}};
    std::string fast, slow;
    MessageWriter(SinkConfig()).append(fast, with);
    MessageWriter(SinkConfig()).append(slow, without);
    EXPECT_EQ(fast, slow);
    for (const LineMarks known : {marks, LineMarks()}) {
      const LineFields found = scan_around_seq(line, known), marked = scan_marked(line, known);
      for (const auto member :
           {&LineFields::host, &LineFields::seq, &LineFields::time, &LineFields::id}) {
        EXPECT_EQ(found.*member, whole.*member) << line;
        EXPECT_EQ(marked.*member, whole.*member) << line;
      }
      for (const auto member :
           {&LineFields::event, &LineFields::pid, &LineFields::action, &LineFields::category})
        EXPECT_EQ(marked.*member, whole.*member) << line;
    }
  }
}

// Whether a line is an event is the codec's word; the short check must never say anything else,
// whatever byte is changed or missing.
TEST(WhyNoEvent, SaysWhatTheCodecSaysOfEveryChangedLine) {
  audit::Event event = event_of(audit::Action::kDenied);
  event.chain_id = "019ab337-0d5f-7000-8000-000000000000";
  event.chain_prev = std::string(64, 'a');
  event.chain_hash = std::string(64, '0');
  event.seq = 42;
  const std::string line = audit::encode(event);
  const auto expect_same = [&](const std::string& changed) {
    const bool good =
        audit::chain_fields(changed).has_value() && changed.find('\0') == std::string::npos;
    EXPECT_EQ(!line_kind(changed, true).why_not.has_value(), good) << changed;
  };
  expect_same(line);
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (const char c : {'"', '\\', '0', 'g', '}', ',', '\0'}) {
      std::string changed = line;
      changed[at] = c;
      expect_same(changed);
    }
    std::string shorter = line;
    expect_same(shorter.erase(at, 1));
    expect_same(line.substr(0, at));
    expect_same(line.substr(at));
  }
}

}  // namespace
}  // namespace lilith::shipper
