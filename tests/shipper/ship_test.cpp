#include "shipper/ship.hpp"

#include "tests/shipper/log_writer.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <mutex>
#include <thread>

namespace lilith::shipper {
namespace {

using test::all_lines;
using test::append_events;
using test::lines_of;
using test::log_options;
using test::Receiver;
using testing::HasSubstr;

SinkConfig file_sink(const std::string& name, const std::string& path) {
  SinkConfig sink;
  sink.name = name;
  sink.type = SinkType::kFile;
  sink.path = path;
  return sink;
}

SinkConfig syslog_sink(const std::string& name, int port, Transport transport = Transport::kTcp) {
  SinkConfig sink;
  sink.name = name;
  sink.type = SinkType::kSyslog;
  sink.host = "127.0.0.1";
  sink.port = port;
  sink.transport = transport;
  return sink;
}

class Ship : public testing::Test {
 protected:
  Ship() {
    config_.sources = {dir_.file("audit.log")};
    config_.state_dir = dir_.file("state");
  }
  ShipResult once(std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    ShipOptions options;
    options.once = true;
    options.once_timeout = timeout;
    options.host = "ws-42";
    options.say = [this](const std::string& line) { said_ += line + "\n"; };
    const auto result = ship(config_, options, std::stop_token());
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return result.value_or(ShipResult::kFailed);
  }
  [[nodiscard]] std::string log() const { return config_.sources[0]; }

  test::TempDir dir_;
  Config config_;
  std::string said_;
};

TEST_F(Ship, OnceDeliversEveryLineOnceAndNothingTheSecondTime) {
  append_events(log_options(log()), 500);
  Receiver receiver(Receiver::Kind::kTcp);
  config_.sinks = {file_sink("copy", dir_.file("copy")), syslog_sink("soc", receiver.port())};
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_TRUE(test::read_text(dir_.file("copy")) == test::read_text(log()));
  ASSERT_TRUE(receiver.wait_for(
      [](const std::string& bytes) { return test::unframe(bytes).size() >= 501; }));
  EXPECT_TRUE(test::unframe(receiver.received()) == all_lines(log()));
}

TEST_F(Ship, ASinkThatIsDownStopsNoOther) {
  append_events(log_options(log()), 50);
  int closed_port = 0;
  {
    const Receiver gone(Receiver::Kind::kTcp);
    closed_port = gone.port();
  }
  config_.sinks = {syslog_sink("down", closed_port), file_sink("copy", dir_.file("copy"))};
  EXPECT_EQ(once(std::chrono::milliseconds(300)), ShipResult::kIncomplete);
  EXPECT_TRUE(test::read_text(dir_.file("copy")) == test::read_text(log()));
  EXPECT_THAT(said_, HasSubstr("sink down: cannot connect"));
  // When it is back, it gets everything.
  Receiver receiver(Receiver::Kind::kTcp);
  config_.sinks[0].port = receiver.port();
  EXPECT_EQ(once(), ShipResult::kDone);
  ASSERT_TRUE(receiver.wait_for(
      [](const std::string& bytes) { return test::unframe(bytes).size() >= 51; }));
  EXPECT_TRUE(test::unframe(receiver.received()) == all_lines(log()));
}

TEST_F(Ship, FollowsAWriterOverRotationUntilItIsStopped) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  audit::LogOptions writer = log_options(log());
  writer.rotate_bytes = 20'000;
  writer.rotate_interval_min = std::chrono::seconds(0);
  std::stop_source stop;
  Result<ShipResult> result = ShipResult::kFailed;
  std::thread shipper([&] { result = ship(config_, {.host = "ws-42"}, stop.get_token()); });
  for (int i = 0; i < 20; ++i) append_events(writer, 20);
  const std::vector<std::string> written = all_lines(log());
  EXPECT_GT(audit::rotated_files(log()).value().size(), 3U);
  EXPECT_TRUE(test::eventually([&] {
    return std::filesystem::exists(dir_.file("copy")) &&
           lines_of(test::read_text(dir_.file("copy"))).size() >= written.size();
  }));
  stop.request_stop();
  shipper.join();
  EXPECT_EQ(result.value(), ShipResult::kDone);
  EXPECT_TRUE(lines_of(test::read_text(dir_.file("copy"))) == written);
}

TEST_F(Ship, DeliversAgainWhatAReceiverLostWhenItWentAway) {
  auto first = std::make_unique<Receiver>(Receiver::Kind::kTcp);
  const int port = first->port();
  config_.sinks = {syslog_sink("soc", port)};
  std::stop_source stop;
  Result<ShipResult> result = ShipResult::kFailed;
  std::thread shipper([&] { result = ship(config_, {.host = "ws-42"}, stop.get_token()); });
  append_events(log_options(log()), 100);
  EXPECT_TRUE(
      first->wait_for([](const std::string& bytes) { return test::unframe(bytes).size() >= 101; }));
  const std::string before = first->received();
  first.reset();
  append_events(log_options(log()), 100);
  Receiver second(Receiver::Kind::kTcp, port);
  std::vector<std::string> all;
  EXPECT_TRUE(second.wait_for([&](const std::string& bytes) {
    all = test::unframe(before);
    const auto more = test::unframe(bytes);
    all.insert(all.end(), more.begin(), more.end());
    return !more.empty() && test::seq_of(more.back()) == 201;
  }));
  stop.request_stop();
  shipper.join();
  (void)test::expect_at_least_once_in_order(all, all_lines(log()));
}

TEST_F(Ship, SetsAsideWhatIsNoEventAndSaysSoInItsOwnLog) {
  append_events(log_options(log()), 3);
  test::append_text(log(), "not an event\n" + std::string("nul\0nul", 7) + "\n");
  append_events(log_options(log()), 3);
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_EQ(once(), ShipResult::kDone);  // the shipper's own events are shipped as well
  const auto dead = lines_of(test::read_text(dir_.file("state/copy.dead-letter.ndjson")));
  ASSERT_EQ(dead.size(), 2U);
  EXPECT_THAT(dead[0], HasSubstr("\"line\":\"not an event\""));
  EXPECT_THAT(dead[1], HasSubstr("NUL"));
  const std::string copy = test::read_text(dir_.file("copy"));
  EXPECT_THAT(copy, HasSubstr("\"event\":\"ship_loss\""));
  EXPECT_THAT(copy, testing::Not(HasSubstr("not an event\n")));
}

TEST_F(Ship, UsesThePreviousGenerationOfADamagedCheckpoint) {
  append_events(log_options(log()), 10);
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  EXPECT_EQ(once(), ShipResult::kDone);
  append_events(log_options(log()), 10);
  EXPECT_EQ(once(), ShipResult::kDone);
  test::write_text(dir_.file("state/copy.checkpoint.json"), std::string(300, '\0'));
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_THAT(said_, HasSubstr("set aside"));
  std::vector<std::string> audit_lines;
  for (const std::string& line : lines_of(test::read_text(dir_.file("copy")))) {
    if (line.find("ship_loss") == std::string::npos &&
        line.find("lilith-ship") == std::string::npos &&
        line.find("\"log opened\"") == std::string::npos) {
      audit_lines.push_back(line);
    }
  }
  auto written = all_lines(log());
  written.erase(written.begin());  // log_opened
  EXPECT_LE(test::expect_at_least_once_in_order(audit_lines, written), 10U)
      << "only the last generation comes again";
}

TEST_F(Ship, RefusesAStateDirectoryInUse) {
  config_.sinks = {file_sink("copy", dir_.file("copy"))};
  append_events(log_options(log()), 1);
  std::stop_source stop;
  std::thread shipper(
      [&] { (void)ship(config_, {.host = "ws-42"}, stop.get_token()).has_value(); });
  EXPECT_TRUE(test::eventually([&] { return std::filesystem::exists(dir_.file("copy")); }));
  const auto second = ship(config_, {.once = true}, std::stop_token());
  EXPECT_FALSE(second.has_value());
  stop.request_stop();
  shipper.join();
}

TEST_F(Ship, TheWazuhFormIsTheLineBehindAHeaderWithoutTag) {
  append_events(log_options(log()), 2);
  Receiver receiver(Receiver::Kind::kTcp);
  SinkConfig sink = syslog_sink("wazuh", receiver.port());
  sink.format = SyslogFormat::kWazuh;
  sink.framing = Framing::kNewline;
  config_.sinks = {sink};
  EXPECT_EQ(once(), ShipResult::kDone);
  ASSERT_TRUE(receiver.wait_for([](const std::string& bytes) {
    return lines_of(bytes).size() >= 3 && bytes.ends_with('\n');
  }));
  const auto received = lines_of(receiver.received());
  const auto written = all_lines(log());
  for (std::size_t i = 0; i < written.size(); ++i) {
    EXPECT_THAT(received[i], testing::MatchesRegex(
                                 "<1[0-9][0-9]>[A-Z][a-z][a-z] [ 0-9][0-9] ..:..:.. ws-42 .*"));
    EXPECT_TRUE(received[i].ends_with(" ws-42 " + written[i]));
  }
}

TEST_F(Ship, UdpSendsOneDatagramAnEvent) {
  append_events(log_options(log()), 20);
  Receiver receiver(Receiver::Kind::kUdp);
  config_.sinks = {syslog_sink("soc", receiver.port(), Transport::kUdp)};
  EXPECT_EQ(once(), ShipResult::kDone);
  EXPECT_TRUE(receiver.wait_for([](const std::string& bytes) {
    std::size_t messages = 0;
    for (std::size_t at = bytes.find("<1"); at != std::string::npos; at = bytes.find("<1", at + 1))
      ++messages;
    return messages >= 21;
  }));
}

}  // namespace
}  // namespace lilith::shipper
