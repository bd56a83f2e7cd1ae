// The http sink against a real HTTP server program (http_receiver.py), scripted by its command
// line.

#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

namespace lilith::test {
namespace {

using testing::Each;
using testing::HasSubstr;

class HttpShip : public ShipProcess {
 protected:
  void start(const std::string& api, const std::vector<std::string>& script = {}) {
    std::vector<std::string> argv{
        "/usr/bin/python3",
        std::string(LILITH_SOURCE_DIR) + "/tests/shipper/http_receiver.py",
        "--dir",
        dir_.path(),
        "--api",
        api};
    argv.insert(argv.end(), script.begin(), script.end());
    receiver_ = std::make_unique<Process>(argv);
    ASSERT_TRUE(eventually(
        [&] { return ::access(dir_.file("port").c_str(), R_OK) == 0 || !receiver_->running(); }));
    ASSERT_TRUE(receiver_->running()) << receiver_->wait().err;
    url_ = "http://127.0.0.1:" + read_text(dir_.file("port"));
  }
  [[nodiscard]] std::vector<std::string> accepted() const {
    return lines_in(dir_.file("accepted"));
  }
  [[nodiscard]] std::vector<std::string> requests() const {
    return lines_in(dir_.file("requests"));
  }

  std::unique_ptr<Process> receiver_;
  std::string url_;
};

TEST_F(HttpShip, NdjsonGetsEveryLineUnchanged) {
  start("ndjson");
  append_events(log_options(log()), 300);
  write_text(dir_.file("token"), "s3cret\n");
  configure("type: http, url: \"" + url_ + "/in\", token: {file: " + dir_.file("token") + "}");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_TRUE(accepted() == all_lines(log()));
  EXPECT_THAT(requests(), Each(HasSubstr("/in Bearer s3cret application/x-ndjson")));
  EXPECT_THAT(shipped.err + read_text(dir_.file("ship.yaml")), testing::Not(HasSubstr("s3cret")));
}

TEST_F(HttpShip, SplunkGetsTimeHostAndTheEventAsAnObject) {
  start("splunk-hec");
  append_events(log_options(log()), 20);
  write_text(dir_.file("token"), "t0ken");
  configure("type: http, api: splunk-hec, index: main, url: \"" + url_ +
            "/services/collector/event\", token: {file: " + dir_.file("token") + "}");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  const auto written = all_lines(log());
  const auto items = accepted();
  ASSERT_EQ(items.size(), written.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_TRUE(items[i].starts_with("{\"time\":"));
    EXPECT_TRUE(
        items[i].ends_with(",\"host\":\"ws-42\",\"source\":\"lilith\",\"sourcetype\":"
                           "\"lilith:event\",\"index\":\"main\",\"event\":" +
                           written[i] + "}"));
  }
  EXPECT_THAT(requests(), Each(HasSubstr("Splunk t0ken")));
}

TEST_F(HttpShip, ElasticsearchGetsEachEventOnceUnderItsId) {
  start("elasticsearch");
  append_events(log_options(log()), 300);
  configure("type: http, api: elasticsearch, index: lilith, request_bytes_max: 20000, url: \"" +
            url_ + "/_bulk\"");
  EXPECT_EQ(once().exit_code, 0);
  std::filesystem::remove_all(dir_.file("state"));  // everything comes again
  EXPECT_EQ(once().exit_code, 0);
  EXPECT_TRUE(accepted() == all_lines(log()));
  EXPECT_GT(requests().size(), 10U);
}

TEST_F(HttpShip, T43_OfABulkOnlyWhatWasNotTakenIsSentAgain) {
  start("elasticsearch", {"--reject-once", "429:\"seq\":\"5\"", "--reject-once",
                          "503:\"seq\":\"9\"", "--reject", "400:\"seq\":\"7\""});
  append_events(log_options(log()), 12);
  configure("type: http, api: elasticsearch, index: lilith, url: \"" + url_ + "/_bulk\"");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  auto written = all_lines(log());
  auto got = accepted();
  std::erase_if(written, [](const std::string& line) { return seq_of(line) == 7; });
  const auto by_seq = [](const std::string& a, const std::string& b) {
    return seq_of(a) < seq_of(b);
  };
  // The shipper's own events (of the one that was set aside) have a chain of their own.
  std::erase_if(got, [&](const std::string& line) {
    return std::find(written.begin(), written.end(), line) == written.end();
  });
  std::sort(got.begin(), got.end(), by_seq);
  EXPECT_EQ(got, written) << "each once";
  ASSERT_EQ(dead_letters().size(), 1U);
  EXPECT_THAT(dead_letters()[0], HasSubstr("\"reason\":\"400: "));
}

struct FailureCase {
  const char* name;
  std::vector<std::string> script;
  const char* says;
};
void PrintTo(const FailureCase& c, std::ostream* out) { *out << c.name; }
class HttpFailures : public HttpShip, public testing::WithParamInterface<FailureCase> {};
TEST_P(HttpFailures, AreTriedAgainUntilTheReceiverTakesEverything) {
  start("ndjson", GetParam().script);
  append_events(log_options(log()), 50);
  configure("type: http, url: \"" + url_ + "/\"");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_THAT(shipped.err, HasSubstr(GetParam().says));
  EXPECT_TRUE(accepted() == all_lines(log()));
  EXPECT_TRUE(dead_letters().empty());
}
INSTANTIATE_TEST_SUITE_P(
    Answers, HttpFailures,
    testing::Values(FailureCase{"busy", {"--first", "429,429", "--retry-after", "0"}, "429"},
                    FailureCase{"down_for_a_while", {"--first", "503,500,502"}, "503"},
                    FailureCase{"wrong_token_for_a_while", {"--first", "401"}, "401"},
                    FailureCase{"no_answer", {"--first", "0"}, "; trying again"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST_F(HttpShip, WaitsAsLongAsRetryAfterSays) {
  start("ndjson", {"--first", "429", "--retry-after", "3600"});
  append_events(log_options(log()), 1);
  configure("type: http, url: \"" + url_ + "/\"");
  EXPECT_EQ(once(5).exit_code, 1);
  EXPECT_EQ(requests().size(), 1U);
  EXPECT_TRUE(accepted().empty());
}

TEST_F(HttpShip, SplitsWhatTheReceiverCallsTooLarge) {
  start("ndjson", {"--max-bytes", "2500"});
  append_events(log_options(log()), 40);
  configure("type: http, url: \"" + url_ + "/\"");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_TRUE(accepted() == all_lines(log()));
}

TEST_F(HttpShip, T41_OneEventThatIsRefusedStopsNoOther) {
  start("ndjson", {"--reject", "400:\"seq\":\"7\""});
  append_events(log_options(log()), 12);
  configure("type: http, url: \"" + url_ + "/\"");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  auto written = all_lines(log());
  std::erase_if(written, [](const std::string& line) { return seq_of(line) == 7; });
  auto got = accepted();
  std::erase_if(got, [&](const std::string& line) {
    return std::find(written.begin(), written.end(), line) == written.end();
  });
  EXPECT_EQ(got, written);
  ASSERT_EQ(dead_letters().size(), 1U);
  EXPECT_THAT(dead_letters()[0], HasSubstr("answered 400"));
}

}  // namespace
}  // namespace lilith::test
