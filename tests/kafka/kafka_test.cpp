// The kafka sink against a real Apache Kafka broker.

#include "audit/codec.hpp"
#include "audit/read/verify.hpp"
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

using testing::ElementsAre;
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

// ---- lilith verify --kafka

std::vector<std::string> verify_command(const std::string& broker, const std::string& topic,
                                        const std::vector<std::string>& more = {}) {
  std::vector<std::string> out = {std::string(LILITH_BIN_DIR) + "/lilith-verify", "--kafka", broker,
                                  "--topic", topic};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

// Events of several hosts as a shipper would put them: key = host.
std::vector<Message> events_of_hosts(const TempDir& dir, int hosts, std::size_t each) {
  std::vector<Message> out;
  for (int i = 0; i < hosts; ++i) {
    auto options = log_options(dir.file("of-" + std::to_string(i) + ".log"));
    append_events(options, each);
    for (const std::string& line : all_lines(options.path))
      out.push_back({"host-" + std::to_string(i), line, ""});
  }
  return out;
}

TEST_F(Kafka, ATopicOfSeveralPartitionsIsProvenCompleteOrItsGapsAreNamed) {
  create_topic(broker_->plain(), "whole", {}, {}, 3);
  const auto events = events_of_hosts(dir_, 6, 100);
  produce(broker_->plain(), "whole", events);
  produce(broker_->plain(), "whole", {events.begin(), events.begin() + 50});
  const auto whole = run(verify_command(broker_->plain(), "whole"));
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out,
              HasSubstr("complete: " + std::to_string(events.size()) + " events of 6 chains"));
  EXPECT_THAT(whole.out, HasSubstr("50 repeats"));

  create_topic(broker_->plain(), "gap", {}, {}, 3);
  auto part = events;
  part.erase(part.begin() + 30, part.begin() + 35);
  part.back().value[part.back().value.find("\"action\"") + 12] ^= 1;
  produce(broker_->plain(), "gap", part);
  const auto gap = run(verify_command(broker_->plain(), "gap", {"--problems"}));
  EXPECT_EQ(gap.exit_code, 1) << gap.out << gap.err;
  EXPECT_THAT(gap.out, HasSubstr("seq 31 to 35 are missing"));
  EXPECT_THAT(gap.out, HasSubstr("arrived altered"));
  EXPECT_THAT(gap.out, HasSubstr("(gap["));  // its partition and offset

  EXPECT_EQ(run(verify_command(broker_->plain(), "never-made")).exit_code, 3);
  EXPECT_EQ(run(verify_command(broker_->plain(), "whole", {"--follow"})).exit_code, 2);
}

TEST_F(Kafka, FollowingATopicRaisesWhatIsMissingAndAlteredAsEventsOfALog) {
  create_topic(broker_->plain(), "live", {}, {}, 3);
  const auto events = events_of_hosts(dir_, 2, 60);
  auto first = events;
  first.erase(first.begin() + 20, first.begin() + 23);
  produce(broker_->plain(), "live", first);
  const std::string raised = dir_.file("raised.log");
  const auto command = verify_command(broker_->plain(), "live",
                                      {"--follow", "--log", raised, "--gap-after", "2s", "--every",
                                       "1s", "--prometheus", dir_.file("live.prom")});
  Process follower(command);
  const auto has = [&](audit::EventType type, const std::string& reason) {
    for (const std::string& line : lines_in(raised)) {
      const auto event = audit::decode(line);
      if (event && event->type == type && event->category == audit::Category::kIntegrity &&
          event->reason.find(reason) != std::string::npos)
        return true;
    }
    return false;
  };
  EXPECT_TRUE(
      eventually([&] { return has(audit::EventType::kShipLoss, "seq 21 to 23 are missing"); }));
  Message altered = events.back();
  altered.value[altered.value.find("\"action\"") + 12] ^= 1;
  produce(broker_->plain(), "live", {altered});
  EXPECT_TRUE(eventually([&] { return has(audit::EventType::kTamper, "arrived altered"); }));
  EXPECT_THAT(read_text(dir_.file("live.prom")), HasSubstr("lilith_verify_exit_code 1"));
  follower.signal(SIGTERM);
  EXPECT_EQ(follower.wait().exit_code, 0);

  // Who starts again reads all of it again, and raises only what is new.
  Process again(command);
  Message cut = events.front();
  cut.value.resize(cut.value.size() / 2);
  produce(broker_->plain(), "live", {cut});
  EXPECT_TRUE(eventually([&] { return has(audit::EventType::kShipLoss, "line"); }));
  again.signal(SIGINT);
  EXPECT_EQ(again.wait().exit_code, 0);
  // Each finding once, in a log that is whole itself.
  EXPECT_TRUE(audit::verify({raised})->intact());
  std::vector<std::string> codes;
  for (const std::string& line : lines_in(raised))
    if (const auto event = audit::decode(line); event && event->reason_code.starts_with("arrival."))
      codes.push_back(event->reason_code);
  EXPECT_THAT(codes, ElementsAre("arrival.missing", "arrival.altered", "arrival.unreadable"));
}

TEST_F(Kafka, FollowingEndsWhenTheTopicGetsPartitionsThatItDoesNotRead) {
  create_topic(broker_->plain(), "grows");
  produce(broker_->plain(), "grows", events_of_hosts(dir_, 1, 10));
  Process follower(verify_command(broker_->plain(), "grows",
                                  {"--follow", "--log", dir_.file("grows.log"), "--every", "1s",
                                   "--prometheus", dir_.file("grows.prom")}));
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(dir_.file("grows.prom")); }));
  add_partitions(broker_->plain(), "grows", 2);
  const auto ended = follower.wait();
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err, HasSubstr("has 2 partitions now and had 1: start again"));
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
