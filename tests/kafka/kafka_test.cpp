// The kafka sink against a real Apache Kafka broker.

#include "audit/codec.hpp"
#include "tests/kafka/broker_fixture.hpp"
#include "tests/kafka/consumer.hpp"
#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>

namespace lilith::test {
namespace {

using testing::HasSubstr;

class Kafka : public WithBroker<ShipProcess> {
 protected:
  void configure_topic(const std::string& topic, const std::string& more = "") {
    configure("type: kafka, brokers: \"" + broker_->plain() + "\", topic: " + topic + more);
  }
  static std::vector<std::string> values(const std::string& topic) {
    std::vector<std::string> out;
    for (Message& message : consume(broker_->plain(), topic)) out.push_back(message.value);
    return out;
  }
};

TEST_F(Kafka, GetsEveryEventUnderItsHostAndIdInEachCompression) {
  append_events(log_options(log()), 300);
  const auto written = all_lines(log());
  for (const std::string compression : {"none", "lz4", "zstd"}) {
    create_topic(broker_->plain(), "audit-" + compression);
    configure_topic("audit-" + compression, ", compression: " + compression);
    std::filesystem::remove_all(dir_.file("state"));
    const auto shipped = once();
    ASSERT_EQ(shipped.exit_code, 0) << shipped.err;
    const auto messages = consume(broker_->plain(), "audit-" + compression);
    ASSERT_EQ(messages.size(), written.size()) << compression;
    for (std::size_t i = 0; i < written.size(); ++i) {
      EXPECT_EQ(messages[i].value, written[i]);
      EXPECT_EQ(messages[i].key, "ws-42");
      EXPECT_EQ(messages[i].event_id, audit::decode(written[i]).value().id);
    }
  }
}

TEST_F(Kafka, TakesTlsWithSaslAndRefusesAWrongPasswordOrAuthority) {
  create_topic(broker_->plain(), "secure");
  append_events(log_options(log()), 20);
  write_text(dir_.file("good"), "s3cret\n");
  write_text(dir_.file("bad"), "guess\n");
  const auto secure = [&](const std::string& password, const std::string& ca) {
    configure("type: kafka, brokers: \"" + broker_->secure() + "\", topic: secure, tls: {ca: " +
              home_->file(ca) + "}, sasl: {mechanism: PLAIN, username: lilith, password: {file: " +
              dir_.file(password) + "}}");
  };
  secure("bad", "ca.pem");
  EXPECT_EQ(once(3).exit_code, 1);
  secure("good", "other.pem");
  EXPECT_EQ(once(3).exit_code, 1);
  EXPECT_TRUE(values("secure").empty());
  secure("good", "ca.pem");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_EQ(values("secure"), all_lines(log()));
}

TEST_F(Kafka, TakesScramAndRefusesAnotherMechanismsPassword) {
  append_events(log_options(log()), 20);
  write_text(dir_.file("SCRAM-SHA-256"), "s3cret-256\n");
  write_text(dir_.file("SCRAM-SHA-512"), "s3cret-512\n");
  for (const auto& [mechanism, other] :
       {std::pair<std::string, std::string>{"SCRAM-SHA-256", "SCRAM-SHA-512"},
        {"SCRAM-SHA-512", "SCRAM-SHA-256"}}) {
    create_topic(broker_->plain(), mechanism);
    std::filesystem::remove_all(dir_.file("state"));
    const auto as = [&](const std::string& password) {
      configure("type: kafka, brokers: \"" + broker_->secure() + "\", topic: " + mechanism +
                ", tls: {ca: " + home_->file("ca.pem") + "}, sasl: {mechanism: " + mechanism +
                ", username: lilith, password: {file: " + dir_.file(password) + "}}");
    };
    as(other);
    const auto refused = once(3);
    EXPECT_EQ(refused.exit_code, 1) << mechanism;
    EXPECT_THAT(refused.err, testing::HasSubstr("uthentication failed")) << mechanism;
    EXPECT_TRUE(values(mechanism).empty()) << mechanism;
    as(mechanism);
    const auto shipped = once();
    EXPECT_EQ(shipped.exit_code, 0) << mechanism << shipped.err;
    EXPECT_EQ(values(mechanism), all_lines(log())) << mechanism;
  }
}

TEST_F(Kafka, T41_AMessageThatTheBrokerCallsTooLargeStopsNoOther) {
  create_topic(broker_->plain(), "small", {{"max.message.bytes", "3000"}});
  append_events(log_options(log()), 20);
  {
    auto appender = audit::open_log(log_options(log()));
    ASSERT_TRUE(appender.has_value());
    audit::Event event;
    event.host = "ws-42";
    event.process_key = "ws-42/1/2";
    event.reason = std::string(5000, 'x');
    ASSERT_TRUE((*appender)->append(event).has_value());
  }
  append_events(log_options(log()), 20);
  configure_topic("small", ", compression: none");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  auto written = all_lines(log());
  std::erase_if(written, [](const std::string& line) { return line.size() > 4000; });
  auto got = values("small");
  std::erase_if(got, [&](const std::string& line) {
    return std::find(written.begin(), written.end(), line) == written.end();
  });
  (void)expect_at_least_once_in_order(got, written);
  ASSERT_EQ(dead_letters().size(), 1U);
  EXPECT_THAT(dead_letters()[0], HasSubstr("too large"));
}

TEST_F(Kafka, WaitsForATopicThatIsNotThereYet) {
  append_events(log_options(log()), 20);
  configure_topic("later");
  const auto failed = once(8);
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, HasSubstr("topic later"));
  create_topic(broker_->plain(), "later");
  const auto shipped = once();
  EXPECT_EQ(shipped.exit_code, 0) << shipped.err;
  EXPECT_EQ(values("later"), all_lines(log()));
}

TEST_F(Kafka, KcatReadsEveryEventUnderItsHost) {
  constexpr const char* kKcat = "/usr/bin/kcat";
  if (::access(kKcat, X_OK) != 0) GTEST_SKIP() << kKcat << " is not installed";
  create_topic(broker_->plain(), "kcat");
  append_events(log_options(log()), 50);
  configure_topic("kcat", ", compression: zstd");
  const auto shipped = once();
  ASSERT_EQ(shipped.exit_code, 0) << shipped.err;
  const auto read = run({kKcat, "-C", "-q", "-e", "-b", broker_->plain(), "-t", "kcat", "-o",
                         "beginning", "-f", "%k %s\n"});
  EXPECT_EQ(read.exit_code, 0) << read.err;
  auto expected = all_lines(log());
  for (std::string& line : expected) line.insert(0, "ws-42 ");
  EXPECT_EQ(lines_of(read.out), expected);
}

// Two replicas, and the broker that leads is killed while events come.
TEST_F(Kafka, AnotherBrokerLeadsWhenTheLeaderIsKilledAndNothingIsLost) {
  const TempDir home;
  Broker second(home.path(), *broker_);
  second.start();
  // With 1 the survivor goes on alone; what acks=all confirmed before both had.
  create_topic(broker_->plain(), "led", {{"min.insync.replicas", "1"}}, {second.node(), 1});
  ASSERT_TRUE(eventually([&] {
    const Partition now = partition_of(broker_->plain(), "led");
    return now.leader == second.node() && now.in_sync.size() == 2;
  }));
  append_events(log_options(log()), 2000);
  configure_topic("led");
  Process shipper(command());
  EXPECT_TRUE(eventually([&] { return !values("led").empty(); }));
  append_events(log_options(log()), 2000);
  second.kill();
  append_events(log_options(log()), 200);
  ASSERT_TRUE(eventually([&] { return partition_of(broker_->plain(), "led").leader == 1; }));
  append_events(log_options(log()), 200);
  const auto written = all_lines(log());
  std::vector<std::string> got;
  EXPECT_TRUE(eventually(
      [&] {
        got = values("led");
        return !got.empty() && got.back() == written.back();
      },
      std::chrono::seconds(60)));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
  std::cout << written.size() << " events, " << expect_at_least_once_in_order(got, written)
            << " repeats\n";
}

// Last in this suite, since it ends the broker: broker and shipper are both killed under way, and
// more is written meanwhile than the shipper's window holds (8 MiB).
TEST_F(Kafka, T38_T39_T40_NothingIsLostWhenBrokerAndShipperAreKilledAndTheWindowIsFull) {
  create_topic(broker_->plain(), "crash");
  append_events(log_options(log()), 300);
  configure_topic("crash");
  {
    Process shipper(command());
    EXPECT_TRUE(eventually([&] { return !values("crash").empty(); }));
    broker_->kill();
    append_events(log_options(log()), 300);
    shipper.signal(SIGKILL);
    (void)shipper.wait();
  }
  Process shipper(command());  // with the broker down
  append_events(log_options(log()), 16'000);
  broker_->start();
  const auto written = all_lines(log());
  std::vector<std::string> got;
  EXPECT_TRUE(eventually(
      [&] {
        got = values("crash");
        return !got.empty() && got.back() == written.back();
      },
      std::chrono::seconds(60)));
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
  (void)expect_at_least_once_in_order(got, written);
}

}  // namespace
}  // namespace lilith::test
