// `lilith verify --kafka`, once and with --follow, against a real Apache Kafka broker.

#include "audit/read/verify.hpp"

#include "audit/codec.hpp"
#include "audit/read/arrival_watch.hpp"
#include "tests/audit_read/sealed_fleet.hpp"
#include "tests/kafka/broker_fixture.hpp"
#include "tests/kafka/consumer.hpp"
#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace lilith::test {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class VerifyKafka : public WithBroker<ShipProcess> {
 protected:
  // Properties for the listener with TLS and SASL, as a file.
  [[nodiscard]] std::string properties(const std::string& password, const std::string& ca,
                                       const std::string& mechanism = "PLAIN") const {
    const std::string path = dir_.file(password + "." + ca + "." + mechanism + ".properties");
    write_text(path, "# for the SIEM's reader\nsecurity.protocol=SASL_SSL\nsasl.mechanism=" +
                         mechanism + "\nsasl.username=lilith\nsasl.password=" + password +
                         "\nssl.ca.location=" + home_->file(ca) + "\n");
    return path;
  }
  // The findings that a follower wrote into `log`, as their reason codes.
  static std::vector<std::string> raised(const std::string& log) {
    std::vector<std::string> out;
    for (const std::string& line : lines_in(log)) {
      const auto event = audit::decode(line);
      if (event && event->reason_code.starts_with("arrival.")) out.push_back(event->reason_code);
    }
    return out;
  }
  // The value of a figure without labels in a Prometheus file; -1 while there is none.
  static double figure(const std::string& path, const std::string& name) {
    for (const std::string& line : lines_in(path))
      if (line.starts_with(name + " ")) return std::strtod(line.c_str() + name.size(), nullptr);
    return -1;
  }
};

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

TEST_F(VerifyKafka, ATopicOfSeveralPartitionsIsProvenCompleteOrItsGapsAreNamed) {
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

TEST_F(VerifyKafka, FollowingATopicRaisesWhatIsMissingAndAlteredAsEventsOfALog) {
  create_topic(broker_->plain(), "live", {}, {}, 3);
  const auto events = events_of_hosts(dir_, 2, 60);
  auto first = events;
  first.erase(first.begin() + 20, first.begin() + 23);
  produce(broker_->plain(), "live", first);
  const std::string findings = dir_.file("findings.log");
  const auto command = verify_command(broker_->plain(), "live",
                                      {"--follow", "--log", findings, "--gap-after", "2s",
                                       "--every", "1s", "--prometheus", dir_.file("live.prom")});
  Process follower(command);
  const auto has = [&](audit::EventType type, const std::string& reason) {
    for (const std::string& line : lines_in(findings)) {
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
  EXPECT_TRUE(audit::verify({findings})->intact());
  EXPECT_THAT(raised(findings),
              ElementsAre("arrival.missing", "arrival.altered", "arrival.unreadable"));
}

TEST_F(VerifyKafka, FollowingEndsWhenTheTopicGetsPartitionsThatItDoesNotRead) {
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

TEST_F(VerifyKafka, ReadsByTlsWithSaslAndSaysWhoIsRefused) {
  create_topic(broker_->plain(), "secret", {}, {}, 2);
  produce(broker_->plain(), "secret", events_of_hosts(dir_, 3, 40));
  const auto verify = [&](const std::string& password, const std::string& ca) {
    return run(
        verify_command(broker_->secure(), "secret", {"--kafka-config", properties(password, ca)}));
  };
  const auto whole = verify("s3cret", "ca.pem");
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("complete: 123 events of 3 chains"));
  for (const auto& [password, ca] :
       {std::pair{"guess", "ca.pem"}, std::pair{"s3cret", "other.pem"}}) {
    const auto refused = verify(password, ca);
    EXPECT_EQ(refused.exit_code, 3) << password << ca << refused.out;
    EXPECT_THAT(refused.err, HasSubstr("refused by " + broker_->secure()));
    EXPECT_THAT(refused.out + refused.err, Not(HasSubstr(password)));
  }
}

TEST_F(VerifyKafka, ReadsByScramAndSaysWhoIsRefused) {
  create_topic(broker_->plain(), "scram", {}, {}, 2);
  produce(broker_->plain(), "scram", events_of_hosts(dir_, 3, 40));
  const auto verify = [&](const std::string& mechanism, const std::string& password) {
    return run(verify_command(broker_->secure(), "scram",
                              {"--kafka-config", properties(password, "ca.pem", mechanism)}));
  };
  for (const std::string bits : {"256", "512"}) {
    const auto whole = verify("SCRAM-SHA-" + bits, "s3cret-" + bits);
    EXPECT_EQ(whole.exit_code, 0) << bits << whole.out << whole.err;
    EXPECT_THAT(whole.out, HasSubstr("complete: 123 events of 3 chains"));
    const auto refused = verify("SCRAM-SHA-" + bits, "s3cret");
    EXPECT_EQ(refused.exit_code, 3) << bits << refused.out;
    EXPECT_THAT(refused.err, HasSubstr("refused by " + broker_->secure()));
  }
}

// By TLS and SASL, since a broker that dies in a handshake looks like one that refuses. While it is
// away a gap stays open for longer than --gap-after and the host is silent for longer than
// --silent-after, and neither is a finding: nothing could arrive. What is still missing when all
// could have come is one, and so is what was changed.
TEST_F(VerifyKafka, FollowingOutlivesABrokerThatIsKilledLosesNoFindingAndInventsNone) {
  constexpr seconds kAway{13};  // longer than gap-after and silent-after
  create_topic(broker_->plain(), "outage", {}, {}, 3);
  const auto events = events_of_hosts(dir_, 2, 60);
  auto first = events;
  const std::vector<Message> late(first.begin() + 20, first.begin() + 23);
  first.erase(first.begin() + 100, first.begin() + 102);  // never to come
  first.erase(first.begin() + 20, first.begin() + 23);
  const std::string findings = dir_.file("findings.log"), prom = dir_.file("outage.prom");
  Process follower(verify_command(
      broker_->secure(), "outage",
      {"--kafka-config", properties("s3cret", "ca.pem"), "--follow", "--log", findings,
       "--gap-after", "8s", "--silent-after", "12s", "--every", "1s", "--prometheus", prom}));
  produce(broker_->plain(), "outage", first);
  ASSERT_TRUE(eventually(
      [&] { return figure(prom, "lilith_verify_events") == static_cast<double>(first.size()); }));
  broker_->kill();
  const auto killed = std::chrono::steady_clock::now();
  const WallTime killed_at = system_clock().now();
  ASSERT_TRUE(eventually([&] { return figure(prom, "lilith_verify_incomplete") == 1; }));
  // What a slow machine had raised before the kill was right.
  const auto before = raised(findings);
  ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() - killed > kAway; }));
  EXPECT_EQ(raised(findings), before) << "raised while nothing could arrive";

  broker_->start();
  auto fresh = events_of_hosts(dir_, 2, 5);  // goes on with both logs
  std::erase_if(fresh, [](const Message& one) { return seq_of(one.value) <= 61; });
  produce(broker_->plain(), "outage", late);
  produce(broker_->plain(), "outage", fresh);
  Message altered = fresh.back();
  altered.value[altered.value.find("\"action\"") + 12] ^= 1;
  produce(broker_->plain(), "outage", {altered});
  const bool all_raised = eventually([&] {
    const auto now = raised(findings);
    return std::count(now.begin(), now.end(), "arrival.altered") == 1 &&
           std::count(now.begin(), now.end(), "arrival.missing") >= 1;
  });
  follower.signal(SIGTERM);
  const auto ended = follower.wait();
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_TRUE(all_raised) << testing::PrintToString(raised(findings)) << ended.out << ended.err
                          << read_text(prom);
  EXPECT_THAT(ended.err, HasSubstr("; waiting"));
  EXPECT_THAT(ended.err, HasSubstr("the brokers answer again"));
  if (before.empty()) {
    EXPECT_THAT(ended.out, HasSubstr("seq 40 to 41 are missing"));
    EXPECT_THAT(ended.out, Not(HasSubstr("seq 21")));
    // Only by what came after the outage may the host be silent again.
    for (const std::string& line : lines_in(findings)) {
      const auto event = audit::decode(line);
      const auto finding = event ? audit::finding_of(*event) : std::nullopt;
      const bool is_silence = finding && finding->fault == audit::ArrivalFault::kSilent;
      EXPECT_TRUE(!is_silence || finding->since > killed_at) << line;
    }
  }
}

// State goes by hosts. What a message costs beyond its time shows in a follower that reads four
// times as many; what librdkafka fetches ahead (16 MiB) is there after the first 35 MB.
// LILITH_LONG=1: half a million.
TEST_F(VerifyKafka, FollowingKeepsItsMemoryHoweverManyEventsCome) {
  const bool is_long = std::getenv("LILITH_LONG") != nullptr;
  const std::uint64_t few = is_long ? 125'000 : 40'000, many = 4 * few;
  constexpr std::uint64_t kPerEvent = 64;  // bytes of growth: a hash and its seq would be more
  create_topic(broker_->plain(), "memory", {}, {}, 3);
  SealedFleet fleet(20);
  std::string keys;
  for (const audit::VerifyKey& key : fleet.keys()) keys += audit::to_line(key) + "\n";
  write_text(dir_.file("keys"), keys);
  const std::string prom = dir_.file("memory.prom");
  Process follower(verify_command(broker_->plain(), "memory",
                                  {"--follow", "--log", dir_.file("memory.log"), "--every", "1s",
                                   "--verify-key", dir_.file("keys"), "--prometheus", prom}));
  const auto resident_after = [&](std::uint64_t lines) {
    while (fleet.lines() < lines) {
      std::vector<Message> batch;
      while (fleet.lines() < lines && batch.size() < 10'000)
        for (auto& [host, text] : fleet.next()) batch.push_back({host, std::move(text), ""});
      produce(broker_->plain(), "memory", batch);
    }
    EXPECT_TRUE(eventually(
        [&] { return figure(prom, "lilith_verify_events") == static_cast<double>(fleet.lines()); },
        std::chrono::minutes(5)));
    for (const std::string& line : lines_in("/proc/" + std::to_string(follower.pid()) + "/status"))
      if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
    return 0ULL;
  };
  const std::uint64_t after_few = resident_after(few), after_many = resident_after(many);
  ASSERT_GT(after_few, 0U);
  std::cout << after_few / 1024 << " KiB resident after " << few << " events of 20 sealed hosts, "
            << after_many / 1024 << " KiB after " << many << "\n";
  EXPECT_LT(after_many, after_few + (many - few) * kPerEvent);
  follower.signal(SIGTERM);
  EXPECT_EQ(follower.wait().exit_code, 0);
  EXPECT_THAT(raised(dir_.file("memory.log")), testing::IsEmpty());
}

}  // namespace
}  // namespace lilith::test
