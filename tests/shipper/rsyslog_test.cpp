// A real receiver: rsyslogd from Debian as a plain process with a configuration of the test's own,
// over TCP, TLS and RELP.

#include "tests/shipper/certificates.hpp"
#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

namespace lilith::test {
namespace {

using testing::HasSubstr;

constexpr const char* kRsyslogd = "/usr/sbin/rsyslogd";

bool has_module(const std::string& name) {
  return ::access(("/usr/lib/x86_64-linux-gnu/rsyslog/" + name + ".so").c_str(), R_OK) == 0 ||
         ::access(("/usr/lib/rsyslog/" + name + ".so").c_str(), R_OK) == 0;
}

class Rsyslog : public ShipProcess {
 protected:
  // `module` with its own settings, and settings of the whole.
  void start(const std::string& module, const std::string& settings = "",
             const std::string& global = "") {
    if (port_ == 0) port_ = free_port();
    write_text(dir_.file("rsyslog.conf"),
               "global(workDirectory=\"" + dir_.path() + "\" maxMessageSize=\"64k\" " + global +
                   ")\nmodule(load=\"" + module + "\" " + settings +
                   ")\ntemplate(name=\"raw\" type=\"string\" "
                   "string=\"%msg:::drop-last-lf%\\n\")\ninput(type=\"" +
                   module + "\" address=\"127.0.0.1\" port=\"" + std::to_string(port_) + "\" " +
                   (module == "imrelp" ? "maxDataSize=\"64k\" " : "") +
                   "ruleset=\"all\")\nruleset(name=\"all\") { action(type=\"omfile\" file=\"" +
                   dir_.file("received") + "\" template=\"" + template_ + "\") }\n");
    std::remove(dir_.file("pid").c_str());
    receiver_ = std::make_unique<Process>(std::vector<std::string>{
        kRsyslogd, "-n", "-i", dir_.file("pid"), "-f", dir_.file("rsyslog.conf")});
    ASSERT_TRUE(eventually(
        [&] { return ::access(dir_.file("pid").c_str(), R_OK) == 0 || !receiver_->running(); }));
    ASSERT_TRUE(receiver_->running()) << receiver_->wait().err;
  }
  void start_tls(const std::string& authentication) {
    make_certificates(dir_.path());
    start("imtcp",
          "StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"" +
              authentication + "\"",
          "DefaultNetstreamDriver=\"ossl\" DefaultNetstreamDriverCAFile=\"" + dir_.file("ca.pem") +
              "\" DefaultNetstreamDriverCertFile=\"" + dir_.file("server.pem") +
              "\" DefaultNetstreamDriverKeyFile=\"" + dir_.file("server.key") + "\"");
  }
  [[nodiscard]] std::string address() const {
    return "type: syslog, address: \"127.0.0.1:" + std::to_string(port_) + "\", ";
  }
  std::vector<std::string> received() { return events_of(lines_in(dir_.file("received"))); }
  void expect_everything() {
    const auto written = all_lines(log());
    EXPECT_TRUE(eventually([&] { return received().size() >= written.size(); }));
    EXPECT_TRUE(received() == written)
        << received().size() << " received, " << written.size() << " written";
  }

  int port_ = 0;
  std::string template_ = "raw";
  std::unique_ptr<Process> receiver_;
};

#define LILITH_NEEDS_RSYSLOG(module)                                               \
  if (::access(kRsyslogd, X_OK) != 0) GTEST_SKIP() << "rsyslogd is not installed"; \
  if (!has_module(module)) GTEST_SKIP() << "rsyslog's module " << (module) << " is not installed"

struct PlainCase {
  const char* name;
  const char* module;
  const char* sink;
};
void PrintTo(const PlainCase& c, std::ostream* out) { *out << c.name; }
class RsyslogForms : public Rsyslog, public testing::WithParamInterface<PlainCase> {};
TEST_P(RsyslogForms, ReceivesEveryEventByteForByte) {
  LILITH_NEEDS_RSYSLOG(GetParam().module);
  start(GetParam().module);
  append_events(log_options(log()), 300);
  configure(address() + GetParam().sink);
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  expect_everything();
}
INSTANTIATE_TEST_SUITE_P(
    Forms, RsyslogForms,
    testing::Values(PlainCase{"tcp_octet_counting_rfc5424", "imtcp", "framing: octet-counting"},
                    PlainCase{"tcp_newline_rfc5424", "imtcp", "framing: newline"},
                    // The wazuh form has no tag, so that rsyslog would take the event's beginning
                    // for one; it is Wazuh's alone.
                    PlainCase{"tcp_newline_rfc3164", "imtcp", "framing: newline, format: rfc3164"},
                    PlainCase{"relp_rfc5424", "imrelp", "transport: relp"},
                    PlainCase{"relp_rfc3164", "imrelp", "transport: relp, format: rfc3164"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// What rsyslog writes with its own templates is checked as it is.
class RsyslogArchive : public Rsyslog, public testing::WithParamInterface<const char*> {};
TEST_P(RsyslogArchive, IsProvenCompleteOrNamesWhatIsMissing) {
  LILITH_NEEDS_RSYSLOG("imtcp");
  template_ = GetParam();
  start("imtcp");
  append_events(log_options(log()), 300);
  for (const std::string format : {"rfc5424", "rfc3164"}) {
    configure(address() + "format: " + format);
    std::filesystem::remove_all(dir_.file("state"));
    const auto shipped = once();
    ASSERT_EQ(shipped.exit_code, 0) << shipped.err;
  }
  const std::size_t written = all_lines(log()).size();
  ASSERT_TRUE(eventually([&] { return lines_in(dir_.file("received")).size() >= 2 * written; }));
  const auto verify = [&] {
    return run({std::string(LILITH_BIN_DIR) + "/lilith", "verify", "--arrived", "--form", "syslog",
                dir_.file("received")});
  };
  const auto whole = verify();
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("complete from seq 1 to " + std::to_string(written)));
  EXPECT_THAT(whole.out, HasSubstr(std::to_string(written) + " repeats"));

  auto lines = lines_in(dir_.file("received"));
  lines.erase(lines.begin() + 100 + static_cast<std::ptrdiff_t>(written));
  lines.erase(lines.begin() + 100);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  write_text(dir_.file("received"), text);
  const auto gap = verify();
  EXPECT_EQ(gap.exit_code, 1) << gap.out;
  EXPECT_THAT(gap.out, HasSubstr("seq 101 is missing"));
}
INSTANTIATE_TEST_SUITE_P(Templates, RsyslogArchive,
                         testing::Values("RSYSLOG_TraditionalFileFormat", "RSYSLOG_FileFormat",
                                         "RSYSLOG_SyslogProtocol23Format"),
                         [](const auto& test) { return std::string(test.param); });

// Forms that keep the chain's values and not the bytes, as the real shipper writes them.
TEST_F(ShipProcess, ArrivedInAnotherFormIsCheckedByItsLinks) {
  append_events(log_options(log()), 50);
  const std::size_t written = all_lines(log()).size();
  for (const std::string form : {"ecs", "ocsf"}) {
    configure("type: file, path: \"" + dir_.file(form) + "\", form: " + form);
    std::filesystem::remove_all(dir_.file("state"));
    const auto shipped = once();
    ASSERT_EQ(shipped.exit_code, 0) << shipped.err;
    // Not --arrived: the first line says it.
    const auto verified = run({std::string(LILITH_BIN_DIR) + "/lilith", "verify", dir_.file(form)});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    EXPECT_THAT(verified.out,
                HasSubstr("content of " + std::to_string(written) + " not checkable"));
  }
}

TEST_F(Rsyslog, OverTlsWithVerificationReceivesEveryEvent) {
  LILITH_NEEDS_RSYSLOG("lmnsd_ossl");
  start_tls("anon");
  append_events(log_options(log()), 300);
  configure(address() + "tls: {ca: " + dir_.file("ca.pem") + "}");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  expect_everything();
}

TEST_F(Rsyslog, OverTlsAsksForTheClientsCertificate) {
  LILITH_NEEDS_RSYSLOG("lmnsd_ossl");
  start_tls("x509/certvalid");
  append_events(log_options(log()), 50);
  configure(address() + "tls: {ca: " + dir_.file("ca.pem") + ", certificate: " +
            dir_.file("client.pem") + ", key: " + dir_.file("client.key") + "}");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  expect_everything();
}

struct DistrustCase {
  const char* name;
  const char* tls;  // DIR stands for the directory of the certificates
  const char* says;
};
void PrintTo(const DistrustCase& c, std::ostream* out) { *out << c.name; }
class RsyslogDistrust : public Rsyslog, public testing::WithParamInterface<DistrustCase> {};
TEST_P(RsyslogDistrust, SendsNothingAndSaysWhy) {
  LILITH_NEEDS_RSYSLOG("lmnsd_ossl");
  start_tls("anon");
  append_events(log_options(log()), 5);
  std::string tls = GetParam().tls;
  for (std::size_t at = 0; (at = tls.find("DIR")) != std::string::npos;)
    tls.replace(at, 3, dir_.path());
  configure(address() + "tls: " + tls);
  const auto shipped = once(1);
  EXPECT_EQ(shipped.exit_code, 1);
  EXPECT_THAT(shipped.err, HasSubstr(GetParam().says));
  EXPECT_TRUE(received().empty());
}
INSTANTIATE_TEST_SUITE_P(
    Peers, RsyslogDistrust,
    testing::Values(DistrustCase{"unknown_authority", "true", "is not trusted as 127.0.0.1"},
                    DistrustCase{"other_authority", "{ca: DIR/other.pem}", "is not trusted"},
                    DistrustCase{"other_name", "{ca: DIR/ca.pem, server_name: soc.example}",
                                 "is not trusted as soc.example"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// A certificate that the receiver refuses is replaced while the shipper runs.
TEST_F(Rsyslog, T44_ARenewedCertificateIsTakenUpWithoutARestart) {
  LILITH_NEEDS_RSYSLOG("lmnsd_ossl");
  start_tls("x509/certvalid");
  append_events(log_options(log()), 20);
  const auto copy = [&](const std::string& from) {
    write_text(dir_.file("mine.key"), read_text(dir_.file(from + ".key")));
    write_text(dir_.file("mine.pem"), read_text(dir_.file(from + ".pem")));
  };
  copy("stranger");
  configure(address() + "tls: {ca: " + dir_.file("ca.pem") +
            ", certificate: " + dir_.file("mine.pem") + ", key: " + dir_.file("mine.key") + "}");
  EXPECT_EQ(once(1).exit_code, 1);
  EXPECT_TRUE(received().empty());
  Process shipper(command());
  copy("client");
  const auto written = all_lines(log());
  EXPECT_TRUE(eventually([&] { return received().size() >= written.size(); }));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
  (void)expect_at_least_once_in_order(received(), written);
}

TEST_F(ShipProcess, T45_APeerThatNeverShakesHandsIsGivenUpInTime) {
  const Receiver silent(Receiver::Kind::kTcp);
  append_events(log_options(log()), 1);
  configure("type: syslog, tls: true, connect_timeout_ms: 200, address: \"127.0.0.1:" +
            std::to_string(silent.port()) + "\"");
  const auto shipped = once(1);
  EXPECT_EQ(shipped.exit_code, 1);
  EXPECT_THAT(shipped.err, HasSubstr("no TLS with 127.0.0.1"));
  EXPECT_THAT(shipped.err, HasSubstr("no answer in time"));
}

TEST_F(Rsyslog, T37_RelpLosesNothingWhenTheReceiverRestarts) {
  LILITH_NEEDS_RSYSLOG("imrelp");
  start("imrelp");
  configure(address() + "transport: relp");
  append_events(log_options(log()), 500);
  Process shipper(command());
  EXPECT_TRUE(eventually([&] { return received().size() >= 100; }));
  receiver_->signal(SIGTERM);
  (void)receiver_->wait();
  append_events(log_options(log()), 500);
  start("imrelp");
  const auto written = all_lines(log());
  EXPECT_TRUE(eventually([&] {
    const auto lines = received();
    return !lines.empty() && lines.back() == written.back();
  }));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
  (void)expect_at_least_once_in_order(received(), written);
}

}  // namespace
}  // namespace lilith::test
