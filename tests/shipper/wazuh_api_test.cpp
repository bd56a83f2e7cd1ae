// The wazuh sink's way by the server API, against an HTTPS server that does what the API's
// specification says (wazuh_api.py), and against a real manager where there is one.

#include "tests/shipper/certificates.hpp"
#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

namespace lilith::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class WazuhApi : public ShipProcess {
 protected:
  void start(std::vector<std::string> script = {}) {
    make_certificates(dir_.path());
    script.insert(script.begin(), {"/usr/bin/python3",
                                   std::string(LILITH_SOURCE_DIR) + "/tests/shipper/wazuh_api.py",
                                   "--dir", dir_.path()});
    manager_ = std::make_unique<Process>(script);
    ASSERT_TRUE(eventually(
        [&] { return ::access(dir_.file("port").c_str(), R_OK) == 0 || !manager_->running(); }));
    ASSERT_TRUE(manager_->running()) << manager_->wait().err;
  }
  void configure_api(const std::string& more = "", const std::string& password = "s3cret",
                     const std::string& ca = "ca.pem") {
    write_text(dir_.file("password"), password + "\n");
    configure("type: wazuh, url: \"https://localhost:" + read_text(dir_.file("port")) +
              "/\", username: shipper, password: {file: " + dir_.file("password") +
              "}, tls: {ca: " + dir_.file(ca) + "}" + more);
  }
  [[nodiscard]] std::vector<std::string> events() const { return lines_in(dir_.file("events")); }
  [[nodiscard]] std::vector<std::string> requests() const {
    return lines_in(dir_.file("requests"));
  }

  std::unique_ptr<Process> manager_;
};

TEST_F(WazuhApi, GetsEveryEventInRequestsOfAHundred) {
  start();
  append_events(log_options(log()), 250);
  configure_api();
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_TRUE(events() == all_lines(log()));
  EXPECT_THAT(requests(),
              testing::ElementsAre("/security/user/authenticate 200 0", "/events 200 100",
                                   "/events 200 100", testing::StartsWith("/events 200 5")));
  EXPECT_THAT(shipped.err, Not(HasSubstr("s3cret")));
}

TEST_F(WazuhApi, AsksForANewTokenWhenTheOldOneHasExpired) {
  start({"--token-uses", "1"});
  append_events(log_options(log()), 250);
  configure_api();
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_TRUE(events() == all_lines(log()));
  EXPECT_THAT(requests(), testing::Contains("/events 401 100"));
  EXPECT_THAT(requests(), testing::Contains("/security/user/authenticate 200 0").Times(3));
}

TEST_F(WazuhApi, GoesOnAfterTooManyRequests) {
  start({"--too-many", "1"});
  append_events(log_options(log()), 150);
  configure_api();
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_THAT(shipped.err, HasSubstr("answered 429"));
  EXPECT_TRUE(events() == all_lines(log()));
}

TEST_F(WazuhApi, KeepsToTheLimitByItself) {
  start();
  append_events(log_options(log()), 300);
  configure_api(", requests_per_minute: 2");
  EXPECT_EQ(once(1).exit_code, 1);  // the third request is due in a minute
  EXPECT_EQ(events().size(), 200U);
  EXPECT_EQ(requests().size(), 3U);
}

TEST_F(WazuhApi, SendsAgainWhatTheManagersQueueDidNotTakeAndSetsAsideWhatItRefuses) {
  append_events(log_options(log()), 80);
  const auto written = all_lines(log());
  const auto id_of = [](const std::string& line) {
    const std::size_t at = line.find(R"("id":")") + 6;
    return line.substr(at, 36);
  };
  start({"--queue-full", id_of(written[40]), "--refuse", id_of(written[20])});
  configure_api();
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  auto expected = written;
  expected.erase(expected.begin() + 20);
  auto got = events();
  std::erase_if(got, [](const std::string& line) {
    return line.find(R"("event":"ship_loss")") != std::string::npos ||
           line.find("log opened") != std::string::npos;
  });
  std::erase_if(expected, [](const std::string& line) {
    return line.find("log opened") != std::string::npos;
  });
  (void)expect_at_least_once_in_order(got, expected);
  ASSERT_EQ(dead_letters().size(), 1U);
  EXPECT_THAT(dead_letters()[0], HasSubstr("Invalid message"));
}

TEST_F(WazuhApi, RefusesAManagerThatItDoesNotKnowAndSaysWhenItIsRefused) {
  start({"--deny"});
  append_events(log_options(log()), 5);
  configure_api("", "s3cret", "other.pem");
  EXPECT_THAT(once(1).err, HasSubstr("certificate"));
  EXPECT_TRUE(requests().empty());
  configure_api("", "guess");
  EXPECT_THAT(once(1).err, HasSubstr("authenticate answered 401"));
  configure_api();
  EXPECT_THAT(once(1).err, HasSubstr("Permission Denied"));
  EXPECT_TRUE(events().empty());
}

// LILITH_WAZUH_API=https://HOST:55000 with LILITH_WAZUH_USER (may ingest events), the file
// LILITH_WAZUH_PASSWORD_FILE and the authority LILITH_WAZUH_CA.
TEST_F(WazuhApi, OfARealManagerTakesEvents) {
  const char* const url = std::getenv("LILITH_WAZUH_API");
  const char* const user = std::getenv("LILITH_WAZUH_USER");
  const char* const password = std::getenv("LILITH_WAZUH_PASSWORD_FILE");
  const char* const ca = std::getenv("LILITH_WAZUH_CA");
  if (url == nullptr || user == nullptr || password == nullptr || ca == nullptr)
    GTEST_SKIP() << "no Wazuh manager here: LILITH_WAZUH_API, LILITH_WAZUH_USER, "
                    "LILITH_WAZUH_PASSWORD_FILE and LILITH_WAZUH_CA name one";
  append_events(log_options(log()), 150);
  configure(std::string("type: wazuh, url: \"") + url + "\", username: " + user +
            ", password: {file: " + password + "}, tls: {ca: " + ca + "}");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_TRUE(dead_letters().empty());
}

}  // namespace
}  // namespace lilith::test
