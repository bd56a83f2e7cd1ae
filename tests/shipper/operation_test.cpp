// What an operator sees and does: heartbeats, reload.

#include "audit/codec.hpp"
#include "audit/log.hpp"
#include "audit/read/verify.hpp"
#include "shipper/ship.hpp"
#include "tests/shipper/log_writer.hpp"
#include "tests/shipper/sinks.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using test::all_lines;
using test::append_events;
using test::eventually;
using test::log_options;
using test::Receiver;
using testing::HasSubstr;

std::vector<std::string> lines_in(const std::string& path) {
  return ::access(path.c_str(), R_OK) == 0 ? test::lines_of(test::read_text(path))
                                           : std::vector<std::string>();
}

// A shipper in a thread, with the eventfd that asks it to read its configuration again.
class Operation : public testing::Test {
 protected:
  Operation() {
    config_.sources = {dir_.file("audit.log")};
    config_.state_dir = dir_.file("state");
  }
  ~Operation() override { stop(); }

  void start() {
    thread_ = std::jthread([this, config = config_](const std::stop_token& stop) {
      ShipOptions options;
      options.host = "ws-42";
      options.reload_fd = reload_fd_;
      options.say = [this](const std::string& line) { keep(said_, line); };
      options.notify = [this](const std::string& line) { keep(notified_, line); };
      options.watchdog = watchdog_;
      options.load = [this]() -> Result<Config> {
        const std::scoped_lock lock(mutex_);
        if (!next_) return fail(ErrorCode::kInvalidInput, "ship.yaml:3:1: error: no such key");
        return *next_;
      };
      const auto result = ship(config, options, stop);
      EXPECT_TRUE(result.has_value()) << result.error().message;
    });
  }
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  // Asks for `next` (nothing: a configuration with an error) and waits for the answer.
  bool reload(std::optional<Config> next) {
    const std::size_t before = answers();
    {
      const std::scoped_lock lock(mutex_);
      next_ = std::move(next);
    }
    const std::uint64_t one = 1;
    EXPECT_EQ(::write(reload_fd_, &one, sizeof one), 8);
    return eventually([&] { return answers() > before; });
  }
  std::string said() {
    const std::scoped_lock lock(mutex_);
    return said_;
  }
  std::string notified() {
    const std::scoped_lock lock(mutex_);
    return notified_;
  }
  [[nodiscard]] std::string log() const { return config_.sources[0]; }
  [[nodiscard]] std::string own_log() const { return dir_.file("state/lilith-ship.log"); }
  bool has(const std::string& path, const std::string& line) {
    return eventually([&] {
      const auto lines = lines_in(path);
      return std::find(lines.begin(), lines.end(), line) != lines.end();
    });
  }

  test::TempDir dir_;
  Config config_;
  std::chrono::microseconds watchdog_{0};

 private:
  void keep(std::string& in, const std::string& line) {
    const std::scoped_lock lock(mutex_);
    in += line + "\n";
  }
  std::size_t answers() {
    const std::string all = said();
    std::size_t count = 0;
    for (std::size_t at = 0; (at = all.find("new configuration is ", at)) != std::string::npos;
         ++at)
      ++count;
    return count;
  }

  int reload_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::mutex mutex_;
  std::string said_, notified_;
  std::optional<Config> next_;
  std::jthread thread_;
};

// The heartbeats in a file, by sink; the last of each.
std::map<std::string, std::map<std::string, std::string>> heartbeats(const std::string& path) {
  std::map<std::string, std::map<std::string, std::string>> out;
  for (const std::string& line : lines_in(path)) {
    const auto event = audit::decode(line);
    if (!event || event->type != audit::EventType::kHeartbeat) continue;
    std::map<std::string, std::string> detail(event->detail.begin(), event->detail.end());
    detail["reason"] = event->reason;
    out[detail["sink"]] = detail;
  }
  return out;
}

TEST_F(Operation, AHeartbeatOfEachSinkIsShippedLikeEveryOtherEvent) {
  append_events(log_options(log()), 40);
  config_.heartbeat = std::chrono::milliseconds(50);
  config_.sinks = {file_sink("copy", dir_.file("copy")),
                   syslog_sink("down", Receiver(Receiver::Kind::kTcp).port())};
  start();
  const auto complete = [&] {
    auto seen = heartbeats(dir_.file("copy"));
    return std::atoi(seen["copy"]["delivered_events"].c_str()) > 40 &&
           seen["down"]["state"] == "retrying";
  };
  ASSERT_TRUE(eventually(complete)) << said();
  stop();
  auto seen = heartbeats(dir_.file("copy"));
  EXPECT_EQ(seen["copy"]["state"], "delivering");
  EXPECT_EQ(seen["copy"]["dead_letters"], "0");
  EXPECT_EQ(seen["copy"]["errors"], "0");
  EXPECT_EQ(seen["down"]["delivered_events"], "0");
  EXPECT_GE(std::stoi(seen["down"]["lag_events"]), 41);
  EXPECT_GE(std::stoi(seen["down"]["lag_bytes"]), 41 * 100);
  EXPECT_GE(std::stoi(seen["down"]["errors"]), 1);
  EXPECT_THAT(seen["down"]["reason"], HasSubstr("sink down is retrying: cannot connect"));
  const auto verified = audit::verify({own_log()});
  ASSERT_TRUE(verified.has_value());
  EXPECT_TRUE(verified->intact()) << audit::to_text(*verified);
}

// The sink's own lag falls to nothing when all is delivered, but for the heartbeats themselves.
TEST_F(Operation, LagIsWhatTheCheckpointsSayOfTheLog) {
  append_events(log_options(log()), 40);
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  const auto before = status(config_);
  ASSERT_TRUE(before.has_value()) << before.error().message;
  const auto size = test::read_text(log()).size();
  EXPECT_EQ(before->sinks.at(0).lag.bytes, size);
  EXPECT_EQ(before->sinks.at(0).lag.events, 41U);
  start();
  ASSERT_TRUE(has(dir_.file("copy"), all_lines(log()).back()));
  stop();
  append_events(log_options(log()), 3);
  const test::ManualClock later("2099-01-01T00:00:00Z");
  const auto after = status(config_, later);
  ASSERT_TRUE(after.has_value()) << after.error().message;
  EXPECT_EQ(after->sinks.at(0).lag.events, 3U);
  EXPECT_EQ(after->sinks.at(0).lag.bytes, test::read_text(log()).size() - size);
  EXPECT_GT(after->sinks.at(0).lag.seconds, 86'400.0);
  EXPECT_EQ(after->sinks.at(0).sources.at(0).position.seq, 41U);
}

TEST_F(Operation, T47_AReloadLosesNothingAndLeavesUnchangedSinksAlone) {
  Receiver receiver(Receiver::Kind::kTcp);
  config_.sinks = {syslog_sink("soc", receiver.port()), file_sink("copy", dir_.file("a"))};
  append_events(log_options(log()), 100);
  start();
  ASSERT_TRUE(has(dir_.file("a"), all_lines(log()).back()));
  Config next = config_;
  next.sinks[1].path = dir_.file("b");
  next.sinks.push_back(file_sink("late", dir_.file("c")));
  ASSERT_TRUE(reload(next));
  EXPECT_THAT(said(), HasSubstr("undisturbed: 1 of 3"));
  append_events(log_options(log()), 100);
  const auto written = all_lines(log());
  EXPECT_TRUE(has(dir_.file("b"), written.back()));
  EXPECT_TRUE(has(dir_.file("c"), written.back()));
  EXPECT_TRUE(receiver.wait_for([&](const std::string& bytes) {
    const auto lines = test::unframe(bytes);
    return lines.size() >= written.size();
  }));
  stop();
  EXPECT_EQ(receiver.connections(), 1U);
  EXPECT_TRUE(test::unframe(receiver.received()) == written);
  EXPECT_TRUE(lines_in(dir_.file("c")) == written);
  auto both = lines_in(dir_.file("a"));
  for (std::string& line : lines_in(dir_.file("b"))) both.push_back(std::move(line));
  EXPECT_TRUE(both == written);
  EXPECT_THAT(notified(), HasSubstr("RELOADING=1\nREADY=1"));
  EXPECT_THAT(notified(), HasSubstr("STOPPING=1"));
}

TEST_F(Operation, T47_AWriterGoesOnThroughManyReloads) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  start();
  std::jthread writer([&] {
    for (int i = 0; i < 40; ++i) append_events(log_options(log()), 10);
  });
  Config next = config_;
  for (int i = 0; i < 20; ++i) {
    next.sinks[0].fsync = !next.sinks[0].fsync;  // another sink under the same name
    ASSERT_TRUE(reload(next)) << said();
  }
  writer.join();
  const auto written = all_lines(log());
  EXPECT_TRUE(has(dir_.file("copy"), written.back()));
  stop();
  (void)test::expect_at_least_once_in_order(lines_in(dir_.file("copy")), written);
}

TEST_F(Operation, ABadConfigurationIsRefusedAndTheOldOneGoesOn) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  append_events(log_options(log()), 1);
  start();
  ASSERT_TRUE(reload(std::nullopt));
  EXPECT_THAT(said(), HasSubstr("the old one goes on: ship.yaml:3:1: error: no such key"));
  Config next = config_;
  next.state_dir = dir_.file("elsewhere");
  ASSERT_TRUE(reload(next));
  EXPECT_THAT(said(), HasSubstr("state_dir cannot change while the shipper runs"));
  next = config_;
  next.confine = Confine::kOff;
  ASSERT_TRUE(reload(next));
  EXPECT_THAT(said(), HasSubstr("confine cannot change while the shipper runs; restart it"));
  append_events(log_options(log()), 1);
  EXPECT_TRUE(has(dir_.file("copy"), all_lines(log()).back()));
}

TEST_F(Operation, AReloadCanAddASourceAndTakeOneAway) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  append_events(log_options(log()), 5);
  start();
  const std::string other = dir_.file("other/audit.log");
  append_events(log_options(other), 5);
  Config next = config_;
  next.sources = {other};
  ASSERT_TRUE(has(dir_.file("copy"), all_lines(log()).back()));
  ASSERT_TRUE(reload(next));
  EXPECT_THAT(said(), HasSubstr("undisturbed: 1 of 1"));
  ASSERT_TRUE(has(dir_.file("copy"), all_lines(other).back()));
  append_events(log_options(log()), 5);
  append_events(log_options(other), 5);
  ASSERT_TRUE(has(dir_.file("copy"), all_lines(other).back()));
  EXPECT_EQ(lines_in(dir_.file("copy")).size(), 6U + 11U);  // what it left is not followed
  // Back again: the first log goes on where it was left.
  next.sources.push_back(log());
  ASSERT_TRUE(reload(next));
  ASSERT_TRUE(has(dir_.file("copy"), all_lines(log()).back()));
  stop();
  auto copied = lines_in(dir_.file("copy"));
  auto written = all_lines(log());
  for (const std::string& line : all_lines(other)) written.push_back(line);
  std::sort(copied.begin(), copied.end());
  std::sort(written.begin(), written.end());
  EXPECT_TRUE(copied == written);
}

TEST_F(Operation, TheServiceManagerHearsOfItWhileAllIsWell) {
  watchdog_ = std::chrono::milliseconds(40);
  config_.sinks = {file_sink("copy", dir_.file("copy")),
                   syslog_sink("down", Receiver(Receiver::Kind::kTcp).port())};
  start();
  EXPECT_TRUE(eventually([&] {
    const std::string all = notified();
    const std::size_t first = all.find("WATCHDOG=1");
    return first != std::string::npos && all.find("WATCHDOG=1", first + 1) != std::string::npos;
  }));
  EXPECT_TRUE(notified().starts_with("READY=1"));
}

// A route that keeps everything of an agent back: it is counted, and the checkpoint moves on.
TEST_F(Operation, WhatARouteWithholdsIsCountedAndDone) {
  append_events(log_options(log()), 40);
  SinkConfig some = file_sink("some", dir_.file("some"));
  some.route.except.action = {"allowed", "denied", "would_deny"};
  config_.sinks = {some, file_sink("all", dir_.file("all"))};
  start();
  EXPECT_TRUE(eventually([&] {
    const auto live = status(config_);
    return live && live->running && live->sinks.at(0).withheld_events == 40 &&
           live->sinks.at(0).lag.events == 0U && live->sinks.at(1).delivered_events == 41;
  }));
  stop();
  const auto some_lines = lines_in(dir_.file("some"));
  ASSERT_EQ(some_lines.size(), 3U);  // log_opened of either log, and what names the rest
  EXPECT_THAT(some_lines.back(), HasSubstr(R"("count":"40","seqs":"2-41")"));
  EXPECT_EQ(lines_in(dir_.file("all")).size(), 41U);
  const auto after = status(config_);
  ASSERT_TRUE(after.has_value());
  EXPECT_EQ(after->sinks.at(0).sources.at(0).position.seq, 41U);
}

// What curl would print.
std::string get(int port, const std::string& path) {
  const auto result = test::run(
      {"curl", "-sS", "-i", "--noproxy", "*", "http://127.0.0.1:" + std::to_string(port) + path});
  return result.exit_code == 0 ? result.out : "no answer: " + result.err;
}

TEST_F(Operation, MetricsAndHealthAreServedAndFollowTheConfiguration) {
  append_events(log_options(log()), 40);
  const int closed = Receiver(Receiver::Kind::kTcp).port();
  const int first = Receiver(Receiver::Kind::kTcp).port();
  config_.listen = {"127.0.0.1", first};
  config_.sinks = {file_sink("copy", dir_.file("copy")), syslog_sink("down", closed)};
  start();
  const auto shows = [&](int port, const std::string& path, const std::string& wanted) {
    return eventually([&] { return get(port, path).find(wanted) != std::string::npos; });
  };
  EXPECT_TRUE(shows(first, "/metrics", "lilith_ship_delivered_events_total{sink=\"copy\"} 41\n"));
  EXPECT_TRUE(shows(first, "/metrics", "lilith_ship_sink_up{sink=\"down\"} 0\n"));
  const std::string metrics = get(first, "/metrics");
  const std::string source = ",source=\"" + log() + "\"} ";
  EXPECT_THAT(metrics, HasSubstr("lilith_ship_lag_events{sink=\"down\"" + source + "41\n"));
  EXPECT_THAT(metrics, HasSubstr("lilith_ship_lag_events{sink=\"copy\"" + source + "0\n"));
  EXPECT_THAT(get(first, "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(get(first, "/readyz"), HasSubstr("503 Service Unavailable"));
  EXPECT_THAT(get(first, "/readyz"), HasSubstr("down is retrying: cannot connect"));
  // The same without the sink that is down, elsewhere.
  Config next = config_;
  next.sinks.pop_back();
  next.listen.port = Receiver(Receiver::Kind::kTcp).port();
  ASSERT_TRUE(reload(next));
  EXPECT_THAT(get(next.listen.port, "/readyz"), HasSubstr("200 OK"));
  EXPECT_TRUE(shows(next.listen.port, "/metrics", "{result=\"applied\"} 1\n"));
  EXPECT_THAT(get(first, "/healthz"), HasSubstr("no answer"));
  // A port that is taken: all goes on as it was.
  const Receiver taken(Receiver::Kind::kTcp);
  Config bad = next;
  bad.listen.port = taken.port();
  ASSERT_TRUE(reload(bad));
  EXPECT_THAT(said(), HasSubstr("the old one goes on: cannot listen on 127.0.0.1:"));
  EXPECT_THAT(get(next.listen.port, "/readyz"), HasSubstr("200 OK"));
}

TEST_F(Operation, StatusAsksTheRunningShipperAndOtherwiseTheCheckpoints) {
  append_events(log_options(log()), 40);
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  start();
  EXPECT_TRUE(eventually([&] {
    const auto live = status(config_);
    return live && live->running && live->sinks.at(0).delivered_events == 41 &&
           live->sinks.at(0).sources.at(0).position.seq == 41;
  }));
  stop();
  const auto after = status(config_);
  ASSERT_TRUE(after.has_value());
  EXPECT_FALSE(after->running);
  EXPECT_EQ(after->sinks.at(0).sources.at(0).position.seq, 41U);
}

}  // namespace
}  // namespace lilith::shipper
