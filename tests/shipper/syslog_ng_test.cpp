// A second real receiver: syslog-ng from Debian, unpacked by scripts/setup into build/syslog-ng
// (its package cannot be installed beside rsyslog).

#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <csignal>

namespace lilith::test {
namespace {

struct SyslogNgCase {
  const char* name;
  const char* source;  // its driver and settings, less address and port
  const char* sink;
};
void PrintTo(const SyslogNgCase& c, std::ostream* out) { *out << c.name; }

class SyslogNg : public ShipProcess, public testing::WithParamInterface<SyslogNgCase> {
 protected:
  const std::string root_ = std::string(LILITH_SOURCE_DIR) + "/build/syslog-ng";
  [[nodiscard]] bool installed() const {
    return ::access((root_ + "/usr/sbin/syslog-ng").c_str(), X_OK) == 0;
  }
  void start(int port) {
    const std::string source(GetParam().source);
    write_text(dir_.file("conf"),
               "@version: 3.38\noptions{use-dns(no); stats-freq(0); log-msg-size(65536);};\nsource "
               "s{" +
                   source + " ip(\"127.0.0.1\") port(" + std::to_string(port) +
                   "));};\ndestination d{file(\"" + dir_.file("received") +
                   "\" template(\"${MSG}\\n\") flush-lines(1));};\nlog{source(s); "
                   "destination(d);};\n");
    const std::string libraries = root_ + "/usr/lib/syslog-ng:" + root_ +
                                  "/usr/lib/x86_64-linux-gnu:" + root_ + "/lib/x86_64-linux-gnu";
    receiver_ = std::make_unique<Process>(
        std::vector<std::string>{root_ + "/usr/sbin/syslog-ng", "-F", "--no-caps", "-f",
                                 dir_.file("conf"), "-R", dir_.file("persist"), "-p",
                                 dir_.file("pid"), "-c", dir_.file("control"),
                                 "--module-path=" + root_ + "/usr/lib/syslog-ng/3.38"},
        ProcessOptions{.environment = {{"LD_LIBRARY_PATH", libraries}}});
  }
  std::unique_ptr<Process> receiver_;
};

TEST_P(SyslogNg, ReceivesEveryEventByteForByte) {
  if (!installed()) GTEST_SKIP() << "syslog-ng is not in build/syslog-ng (scripts/setup test)";
  const int port = free_port();
  start(port);
  append_events(log_options(log()), 300);
  configure("type: syslog, address: \"127.0.0.1:" + std::to_string(port) + "\", " +
            GetParam().sink);
  // It may not listen yet: the shipper tries until it does.
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  const auto written = all_lines(log());
  const auto received = [&] { return events_of(lines_in(dir_.file("received"))); };
  EXPECT_TRUE(eventually([&] { return received().size() >= written.size(); }));
  EXPECT_TRUE(received() == written)
      << received().size() << " received, " << written.size() << " written";
  receiver_->signal(SIGTERM);
  (void)receiver_->wait();
}
INSTANTIATE_TEST_SUITE_P(
    Forms, SyslogNg,
    testing::Values(SyslogNgCase{"octet_counting_rfc5424", "syslog(transport(\"tcp\")",
                                 "framing: octet-counting"},
                    SyslogNgCase{"newline_rfc5424",
                                 "network(transport(\"tcp\") flags(syslog-protocol)",
                                 "framing: newline"},
                    SyslogNgCase{"newline_rfc3164", "network(transport(\"tcp\")",
                                 "framing: newline, format: rfc3164"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

}  // namespace
}  // namespace lilith::test
