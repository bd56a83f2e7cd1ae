// A real receiver: rsyslogd from Debian as a plain process with a configuration of the test's own.

#include "tests/shipper/log_writer.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

namespace lilith::test {
namespace {

struct RsyslogCase {
  const char* name;
  const char* module;
  const char* sink;  // settings of the sink besides name, type and address
};
void PrintTo(const RsyslogCase& c, std::ostream* out) { *out << c.name; }
class Rsyslog : public testing::TestWithParam<RsyslogCase> {};

TEST_P(Rsyslog, ReceivesEveryEventByteForByte) {
  const std::string rsyslogd = "/usr/sbin/rsyslogd";
  if (::access(rsyslogd.c_str(), X_OK) != 0) GTEST_SKIP() << "rsyslogd is not installed";
  const TempDir dir;
  int port = 0;
  {
    const Receiver probe(Receiver::Kind::kTcp);
    port = probe.port();
  }
  const std::string module = GetParam().module;
  write_text(dir.file("rsyslog.conf"),
             "global(workDirectory=\"" + dir.path() +
                 "\" maxMessageSize=\"64k\")\n"
                 "module(load=\"" +
                 module +
                 "\")\n"
                 "template(name=\"raw\" type=\"string\" string=\"%msg:::drop-last-lf%\\n\")\n"
                 "input(type=\"" +
                 module + "\" address=\"127.0.0.1\" port=\"" + std::to_string(port) +
                 "\" ruleset=\"all\")\n"
                 "ruleset(name=\"all\") { action(type=\"omfile\" file=\"" +
                 dir.file("received") + "\" template=\"raw\") }\n");
  Process receiver({rsyslogd, "-n", "-i", dir.file("pid"), "-f", dir.file("rsyslog.conf")});
  const audit::LogOptions writer = log_options(dir.file("audit.log"));
  append_events(writer, 300);
  write_text(
      dir.file("ship.yaml"),
      "version: \"1\"\nsources: [\"" + writer.path + "\"]\nstate_dir: \"" + dir.file("state") +
          "\"\nsinks:\n  - {name: soc, type: syslog, address: \"127.0.0.1:" + std::to_string(port) +
          "\", " + GetParam().sink + "}\n");
  ASSERT_TRUE(eventually(
      [&] { return ::access(dir.file("pid").c_str(), R_OK) == 0 || !receiver.running(); }));
  ASSERT_TRUE(receiver.running()) << receiver.wait().err;
  const auto shipped = run(
      {std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config", dir.file("ship.yaml"), "--once"});
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  const std::vector<std::string> written = all_lines(writer.path);
  std::vector<std::string> received;
  EXPECT_TRUE(eventually([&] {
    if (::access(dir.file("received").c_str(), R_OK) != 0) return false;
    received.clear();
    for (const std::string& line : lines_of(read_text(dir.file("received")))) {
      received.push_back(line.substr(std::min(line.find('{'), line.size())));
    }
    return received.size() >= written.size();
  }));
  EXPECT_TRUE(received == written)
      << received.size() << " received, " << written.size() << " written";
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Rsyslog,
    testing::Values(RsyslogCase{"tcp_octet_counting_rfc5424", "imtcp", "framing: octet-counting"},
                    RsyslogCase{"tcp_newline_rfc5424", "imtcp", "framing: newline"},
                    // The wazuh form has no tag, so that rsyslog would take the event's beginning
                    // for one; it is Wazuh's alone.
                    RsyslogCase{"tcp_newline_rfc3164", "imtcp",
                                "framing: newline, format: rfc3164"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

}  // namespace
}  // namespace lilith::test
