#include "audit/codec.hpp"
#include "shipper/syslog_format.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

namespace lilith::shipper {
namespace {

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
    append_message(out, line, config);
    out.push_back('\n');
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
  std::string out;
  append_message(out, audit::encode(event_of(GetParam().action)), SinkConfig());
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
  std::string out;
  append_message(out, audit::encode(event), SinkConfig());
  EXPECT_TRUE(out.starts_with(
      "<108>1 2026-11-04T00:20:42.831204Z a_b\\n lilith 4711 decision - {\"lilith\":{"))
      << out.substr(0, 120);
}

}  // namespace
}  // namespace lilith::shipper
