// What the shipper tells of itself: metrics, JSON, text, over HTTP.

#include "shipper/report.hpp"

#include "shipper/http_listener.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <regex>
#include <set>
#include <sys/socket.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

ShipReport sample() {
  ShipReport report;
  report.running = true;
  report.started = *parse_time("2026-11-24T00:00:00Z");
  report.reloads = 2;
  report.reloads_refused = 1;
  report.confinement = {true, true, false, true, "writes can't be confined: no Landlock"};
  SinkReport soc;
  soc.sink = "soc";
  soc.delivered_events = 1034;
  soc.delivered_bytes = 1'240'800;
  soc.withheld_events = 7;
  soc.sources = {{"/var/log/lilith/agent-audit.log", {}, {true, 0, 0, 0}},
                 {"/var/lib/lilith/ship/lilith-ship.log", {}, {true, 0, 0, 0}}};
  soc.sources[0].position.seq = 1041;
  soc.lag = {true, 0, 0, 0};
  SinkReport kafka;
  kafka.sink = "kafka";
  kafka.state = SinkState::kRetrying;
  kafka.error = "cannot connect to kafka1:9093: Connection refused";
  kafka.delivered_events = 1000;
  kafka.delivered_bytes = 1'200'000;
  kafka.retried_events = 12;
  kafka.dead_letters = 1;
  kafka.errors = 3;
  kafka.sources = {{"/odd \"path\\\n/audit.log", {}, {true, 91'234, 41, 12.4}},
                   {"/var/lib/lilith/ship/lilith-ship.log", {}, {true, 9, {}, 3}},
                   {"/cannot/be/read", {}, {}}};
  kafka.lag = {true, 91'243, {}, 12.4};
  report.sinks = {soc, kafka};
  return report;
}

TEST(ShipReport, Metrics) { test::expect_golden("ship-metrics.txt", metrics_text(sample())); }
TEST(ShipReport, Text) { test::expect_golden("ship-status.txt", report_text(sample())); }
TEST(ShipReport, Json) { test::expect_golden("ship-status.json", report_json(sample())); }
TEST(ShipReport, Screen) {
  ShipReport before = sample();
  before.sinks[0].delivered_events -= 500;
  test::expect_golden("ship-top.txt", report_screen(sample(), before, 2.0, 40, 200));
  const auto small = test::lines_of(report_screen(sample(), before, 2.0, 3, 20));
  ASSERT_EQ(small.size(), 3U);
  for (const std::string& line : small) EXPECT_LE(line.size(), 20U);
}

TEST(ShipReport, JsonReadsBack) {
  const auto read = read_report(report_json(sample()));
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(report_json(*read), report_json(sample()));
  EXPECT_FALSE(read_report("{}").has_value());
  EXPECT_FALSE(read_report("<html>").has_value());
}

TEST(ShipReport, ReadinessNamesTheSinksThatCannotDeliver) {
  ShipReport report = sample();
  EXPECT_THAT(not_ready(report), StartsWith("kafka is retrying: cannot connect"));
  EXPECT_EQ(not_healthy(report), "");
  report.sinks.pop_back();
  EXPECT_EQ(not_ready(report), "");
  report.sinks[0].stuck = true;
  EXPECT_EQ(not_healthy(report), "soc hangs\n");
  report.sinks[0].stuck = false;
  report.sinks[0].needs_restart = true;
  report.sinks[0].error = "cannot open /srv/a";
  EXPECT_EQ(not_healthy(report), "soc needs a restart: cannot open /srv/a\n");
}

TEST(ShipReport, TheDocumentedMetricsAreThoseThatAreServed) {
  const auto names = [](const std::string& text, const std::regex& pattern) {
    std::set<std::string> out;
    for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at)
      out.insert((*at)[1]);
    return out;
  };
  const auto served = names(metrics_text(sample()), std::regex("# TYPE (lilith_ship_[a-z_]+) "));
  const auto documented =
      names(test::read_text(std::string(LILITH_SOURCE_DIR) + "/docs/shipping.md"),
            std::regex("\\b(lilith_ship_[a-z_]+)"));
  EXPECT_EQ(served, documented);
  EXPECT_GE(served.size(), 10U);
}

TEST(ShipReport, PrometheusOwnParserReadsTheMetrics) {
  const std::string script =
      "import sys\n"
      "try:\n"
      "    from prometheus_client.parser import text_string_to_metric_families as parse\n"
      "except ImportError:\n"
      "    sys.exit(77)\n"
      "for f in parse(sys.stdin.read()):\n"
      "    for s in f.samples:\n"
      "        print(f.type, s.name, sorted(s.labels.items()), s.value)\n";
  const auto result =
      test::run({"/usr/bin/python3", "-c", script}, {.input = metrics_text(sample())});
  if (result.exit_code == 77) GTEST_SKIP() << "python3-prometheus-client is not installed here";
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("counter lilith_ship_delivered_events_total "
                                    "[('sink', 'soc')] 1034.0"));
  EXPECT_THAT(result.out, HasSubstr("('source', '/odd \"path\\\\\\n/audit.log')] 91234.0"));
}

// A client on loopback.
class Client {
 public:
  explicit Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void send(std::string_view bytes) const {
    (void)!::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // Everything up to the end of the connection.
  [[nodiscard]] std::string receive() const {
    std::string out;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(fd_.get(), buffer, sizeof buffer, 0)) > 0;)
      out.append(buffer, static_cast<std::size_t>(got));
    return out;
  }

 private:
  UniqueFd fd_;
};

class ShipListener : public testing::Test {
 protected:
  ShipListener() {
    auto socket = listen_tcp("127.0.0.1", 0);
    EXPECT_TRUE(socket.has_value());
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    auto started = HttpListener::start(std::move(*socket), [](std::string_view path) {
      return HttpAnswer{path == "/metrics" ? 200U : 404U, "text/x", "body of " + std::string(path)};
    });
    EXPECT_TRUE(started.has_value());
    listener_ = std::move(*started);
  }
  [[nodiscard]] std::string ask(const std::string& request) const {
    const Client client(port_);
    client.send(request);
    return client.receive();
  }

  int port_ = 0;
  std::unique_ptr<HttpListener> listener_;
};

TEST_F(ShipListener, AnswersAndCloses) {
  const std::string answer = ask("GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/x\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nbody of /metrics")) << answer;
  EXPECT_THAT(ask("GET /other HTTP/1.0\r\n\r\n"), HasSubstr(" 404 "));
  EXPECT_TRUE(ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").ends_with("\r\n\r\n"));
}

TEST_F(ShipListener, RefusesWhatItIsNotFor) {
  EXPECT_THAT(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
              HasSubstr(" 405 "));
  EXPECT_THAT(ask("GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n"),
              testing::Not(HasSubstr(" 200 ")));
  EXPECT_THAT(ask("\x16\x03\x01 not http\r\n\r\n"), testing::Not(HasSubstr(" 200 ")));
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr(" 200 "));
}

// Connections that say nothing, as many as there may be, and some that say a little now and then:
// whoever comes after them is answered, since each has its time.
TEST_F(ShipListener, ClientsThatAreSlowHoldNobodyUpForLong) {
  std::vector<std::unique_ptr<Client>> slow;
  for (unsigned i = 0; i < HttpListener::kConnectionsMax; ++i) {
    slow.push_back(std::make_unique<Client>(port_));
    slow.back()->send("GET /metr");
  }
  EXPECT_TRUE(test::eventually([&] {
    for (const auto& one : slow) one->send("x");
    const Client client(port_);
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    return client.receive().find(" 200 ") != std::string::npos;
  }));
}

}  // namespace
}  // namespace lilith::shipper
