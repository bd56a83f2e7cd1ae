// `lilith replay run --kafka` against a real Apache Kafka broker.

#include "audit/codec.hpp"
#include "tests/kafka/broker_fixture.hpp"
#include "tests/kafka/consumer.hpp"
#include "tests/replay/traffic_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sys/resource.h>

namespace lilith::test {
namespace {

using testing::HasSubstr;

constexpr int kPartitions = 4;

class KafkaGroup : public WithBroker<testing::Test> {
 protected:
  void SetUp() override {
    WithBroker::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    write_text(dir_.file("a.yaml"), small_policy("go"));
    write_text(dir_.file("b.yaml"), small_policy("npm", "log"));
    // The broker's least; a consumer that was killed is given up after so long.
    write_text(dir_.file("kafka.properties"),
               "session.timeout.ms=6000\nheartbeat.interval.ms=500\n");
  }

  static std::vector<std::string> replay(const std::vector<std::string>& more) {
    std::vector<std::string> out = {std::string(LILITH_BIN_DIR) + "/lilith-replay"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  [[nodiscard]] std::vector<std::string> consumer(const std::string& topic,
                                                  const std::vector<std::string>& more = {}) const {
    auto out =
        replay({"run", "--kafka", broker_->plain(), "--topic", topic, "--group", "replay-" + topic,
                "--summary", dir_.file(topic), "--policy", dir_.file("a.yaml"), "--policy",
                dir_.file("b.yaml"), "--kafka-config", dir_.file("kafka.properties")});
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  // Events of several hosts in turn, as their shippers put them: key = host, and some of them
  // twice.
  static std::vector<Message> events(int hosts, std::uint64_t calls) {
    std::vector<std::vector<Message>> of_hosts;
    for (int host = 0; host < hosts; ++host) {
      const std::string name = "ws-" + std::to_string(host);
      std::vector<Message>& out = of_hosts.emplace_back();
      std::size_t number = 0;
      for (audit::Event& event :
           traffic_events(static_cast<std::uint64_t>(host), calls, "chain-" + name)) {
        char id[64];
        std::snprintf(id, sizeof id, "019b%04x-0000-7000-8000-%012zx", static_cast<unsigned>(host),
                      ++number);
        event.id = id;
        event.host = name;
        out.push_back({name, audit::encode(event), ""});
        if (number % 50 == 0)  // the shipper was killed, and has sent the last ten again
          out.insert(out.end(), out.end() - 10, out.end());
      }
    }
    std::vector<Message> out;
    for (std::size_t i = 0; i < of_hosts[0].size(); ++i) {
      for (const std::vector<Message>& of_host : of_hosts) {
        if (i < of_host.size()) out.push_back(of_host[i]);
      }
    }
    return out;
  }
  static void put(const std::string& topic, const std::vector<Message>& messages) {
    produce(broker_->plain(), topic, messages);
  }
  [[nodiscard]] static std::int64_t lag(const std::string& topic) {
    return lag_of(broker_->plain(), "replay-" + topic, topic, kPartitions);
  }
  [[nodiscard]] static int members(const std::string& topic) {
    return members_of(broker_->plain(), "replay-" + topic);
  }
  [[nodiscard]] std::string merged(const std::string& topic) const {
    const auto result = run(replay({"merge", dir_.file(topic), "--json", "--top", "1000"}));
    EXPECT_EQ(result.exit_code, 1) << result.err;
    return result.out;
  }
  // What one machine says of the same: each partition as a file.
  [[nodiscard]] std::string of_one_machine(const std::string& topic) const {
    std::vector<std::string> command = {"run"};
    for (int i = 0; i < kPartitions; ++i) {
      std::string lines;
      for (const Message& message : consume(broker_->plain(), topic, i))
        lines += message.value + "\n";
      EXPECT_FALSE(lines.empty()) << "no host's key falls into partition " << i;
      const std::string file = dir_.file(topic + "-" + std::to_string(i) + ".log");
      write_text(file, lines);
      command.push_back(file);
    }
    command.insert(command.end(), {"--json", "--top", "1000", "--policy", dir_.file("a.yaml"),
                                   "--policy", dir_.file("b.yaml")});
    const auto result = run(replay(command));
    EXPECT_EQ(result.exit_code, 1) << result.err;
    return result.out;
  }

  TempDir dir_;
};

TEST_F(KafkaGroup, SeveralConsumersAtOnceMakeTheReportOfOneMachine) {
  create_topic(broker_->plain(), "many", {}, {}, kPartitions);
  put("many", events(16, 600));
  std::vector<std::unique_ptr<Process>> consumers;
  for (int i = 0; i < 3; ++i)
    consumers.push_back(std::make_unique<Process>(consumer("many"), ProcessOptions{}));
  for (const auto& one : consumers) {
    const auto result = one->wait();
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_THAT(result.out, HasSubstr("messages read"));
  }
  EXPECT_EQ(lag("many"), 0);
  EXPECT_EQ(merged("many"), of_one_machine("many"));
}

// The figures of docs/sizing.md; LILITH_LONG=1 and --gtest_filter=*Rate* in the release build. What
// it takes to join the group and to leave it is measured by a group that has nothing to read.
TEST_F(KafkaGroup, RateOfOneAndOfTwoConsumersBesideThatOfAFile) {
  if (std::getenv("LILITH_LONG") == nullptr) GTEST_SKIP() << "figures, with LILITH_LONG=1";
  constexpr int kHosts = 16;
  constexpr std::uint64_t kCalls = 30'000;
  create_topic(broker_->plain(), "rate", {}, {}, kPartitions);
  const auto messages = events(kHosts, kCalls);
  constexpr std::size_t kAtOnce = 20'000;  // what the producer's queue takes
  for (std::size_t from = 0; from < messages.size(); from += kAtOnce) {
    const auto first = messages.begin() + static_cast<std::ptrdiff_t>(from);
    const auto left = static_cast<std::size_t>(messages.end() - first);
    put("rate", {first, first + static_cast<std::ptrdiff_t>(std::min(kAtOnce, left))});
  }
  const auto count = static_cast<double>(messages.size());
  std::string lines;
  for (const Message& message : messages) lines += message.value + "\n";
  write_text(dir_.file("rate.log"), lines);
  struct Used {
    double wall, cpu;
  };
  const auto timed = [](const std::vector<std::vector<std::string>>& commands) {
    const auto cpu = [] {
      rusage usage{};
      ::getrusage(RUSAGE_CHILDREN, &usage);
      const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
      };
      return seconds(usage.ru_utime) + seconds(usage.ru_stime);
    };
    const double before = cpu();
    const auto began = std::chrono::steady_clock::now();
    std::vector<std::unique_ptr<Process>> processes;
    for (const auto& command : commands)
      processes.push_back(std::make_unique<Process>(command, ProcessOptions{}));
    for (const auto& process : processes) {
      const auto result = process->wait(std::chrono::minutes(5));
      EXPECT_LE(result.exit_code, 1) << result.out << result.err;
    }
    return Used{std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(),
                cpu() - before};
  };
  const Used file = timed({replay({"run", dir_.file("rate.log"), "--json", "--policy",
                                   dir_.file("a.yaml"), "--policy", dir_.file("b.yaml")})});
  std::printf("%.0f messages of %.0f bytes, two candidates\n", count,
              static_cast<double>(lines.size()) / count);
  std::printf("file           %9.0f events/s %6.2f CPU us/event\n", count / file.wall,
              file.cpu * 1e6 / count);
  for (const std::size_t consumers : {1U, 2U}) {
    const auto of_group = [&] {
      auto command = consumer("rate");
      for (std::string& word : command)
        if (word == "replay-rate" || word == dir_.file("rate")) word += std::to_string(consumers);
      return std::vector(consumers, command);
    };
    const Used all = timed(of_group()), nothing = timed(of_group());
    std::printf(
        "%zu consumer(s)  %9.0f events/s %6.2f CPU us/event, %.2f of the file's CPU; %.1f s "
        "in all, %.1f s with nothing to read\n",
        consumers, count / (all.wall - nothing.wall), (all.cpu - nothing.cpu) * 1e6 / count,
        (all.cpu - nothing.cpu) / file.cpu, all.wall, nothing.wall);
    EXPECT_EQ(
        lag_of(broker_->plain(), "replay-rate" + std::to_string(consumers), "rate", kPartitions),
        0);
  }
}

// One joins late, one is killed with what it had counted, one leaves, one comes again.
TEST_F(KafkaGroup, ARebalanceAndAKillInTheMiddleLoseNothingAndCountNothingTwice) {
  create_topic(broker_->plain(), "moving", {}, {}, kPartitions);
  const auto all = events(16, 600);
  const auto part = [&](std::size_t from, std::size_t to) {
    return std::vector<Message>(all.begin() + static_cast<std::ptrdiff_t>(all.size() * from / 4),
                                all.begin() + static_cast<std::ptrdiff_t>(all.size() * to / 4));
  };
  put("moving", part(0, 1));
  Process first(consumer("moving", {"--follow", "--every", "1s"}));
  ASSERT_TRUE(eventually([&] { return lag("moving") == 0; }));

  Process second(consumer("moving", {"--follow", "--every", "1h"}));
  ASSERT_TRUE(eventually([&] { return members("moving") == 2; }));
  put("moving", part(1, 2));
  // The first has written its part; the second has nothing written in the hour, and is killed.
  std::int64_t before = 0;
  ASSERT_TRUE(eventually([&] {
    const std::int64_t now = lag("moving");
    return std::exchange(before, now) == now && now > 0 &&
           now < static_cast<std::int64_t>(part(1, 2).size());
  }));
  second.signal(SIGKILL);
  EXPECT_EQ(second.wait().signal, SIGKILL);
  put("moving", part(2, 3));
  ASSERT_TRUE(eventually([&] { return lag("moving") == 0; }, std::chrono::seconds(60)));

  Process third(consumer("moving", {"--follow", "--every", "1h"}));
  ASSERT_TRUE(eventually([&] { return members("moving") == 2; }));
  put("moving", part(3, 4));
  first.signal(SIGTERM);
  const auto left = first.wait();
  EXPECT_EQ(left.exit_code, 0) << left.out << left.err;
  third.signal(SIGTERM);
  const auto ended = third.wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;

  const auto rest = run(consumer("moving"));
  EXPECT_EQ(rest.exit_code, 0) << rest.out << rest.err;
  EXPECT_EQ(lag("moving"), 0);
  EXPECT_EQ(merged("moving"), of_one_machine("moving"));
  const auto nothing = run(consumer("moving"));
  EXPECT_EQ(nothing.exit_code, 0) << nothing.out << nothing.err;
  EXPECT_THAT(nothing.out, HasSubstr("\n0 messages read, 0 summaries"));
}

// A consumer that hangs for so long that another one is given its partitions, and then goes on.
TEST_F(KafkaGroup, WhoHangsAndGoesOnLaterCountsNothingTwice) {
  create_topic(broker_->plain(), "hanging", {}, {}, kPartitions);
  put("hanging", events(16, 300));
  Process hanging(consumer("hanging", {"--follow", "--every", "1h"}));
  ASSERT_TRUE(eventually([&] { return members("hanging") == 1; }));
  hanging.signal(SIGSTOP);
  const auto whole = run(consumer("hanging"));
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  hanging.signal(SIGCONT);
  hanging.signal(SIGTERM);
  const auto late = hanging.wait();
  EXPECT_EQ(late.exit_code, 0) << late.out << late.err;
  EXPECT_EQ(merged("hanging"), of_one_machine("hanging"));
}

TEST_F(KafkaGroup, SaysWhatIsWrong) {
  create_topic(broker_->plain(), "good", {}, {}, kPartitions);
  put("good", events(16, 20));
  ASSERT_EQ(run(consumer("good")).exit_code, 0);
  const std::string nobody = "127.0.0.1:" + std::to_string(Receiver(Receiver::Kind::kTcp).port());
  write_text(dir_.file("bad.properties"),
             "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=lilith\n"
             "sasl.password=guess\nssl.ca.location=" +
                 home_->file("ca.pem") + "\n");
  write_text(dir_.file("wrong.properties"), "no.such.property=1\n");
  const auto command = [&](const std::string& broker, const std::string& topic,
                           const std::string& group, const std::string& policy,
                           const std::vector<std::string>& more = {}) {
    auto out = replay({"run", "--kafka", broker, "--topic", topic, "--group", group, "--summary",
                       dir_.file(topic), "--policy", dir_.file(policy)});
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  struct Case {
    int code;
    std::vector<std::string> command;
    const char* says;
  };
  for (const Case& one : std::vector<Case>{
           {3, command(nobody, "good", "g", "a.yaml"), "no answer from 127.0.0.1:"},
           {3, command(broker_->plain(), "never-made", "g", "a.yaml"), "topic never-made at "},
           {3,
            command(broker_->secure(), "good", "g", "a.yaml",
                    {"--kafka-config", dir_.file("bad.properties")}),
            "refused by localhost:"},
           {2,
            command(broker_->plain(), "good", "g", "a.yaml",
                    {"--kafka-config", dir_.file("wrong.properties")}),
            "no.such.property"},
           {2, command(broker_->plain(), "good", "replay-good", "a.yaml"), "candidate policies"},
           {2,
            replay({"run", "x.log", "--kafka", broker_->plain(), "--policy", dir_.file("a.yaml")}),
            "two runs"},
           {2, replay({"run", "--kafka", broker_->plain(), "--policy", dir_.file("a.yaml")}),
            "--kafka needs --topic, --group and --summary"},
           {2, replay({"run", "x.log", "--group", "g", "--policy", dir_.file("a.yaml")}),
            "go with --kafka"},
           {2, replay({"run", "--policy", dir_.file("a.yaml")}), "no logs"}}) {
    const auto result = run(one.command);
    EXPECT_EQ(result.exit_code, one.code) << one.says << "\n" << result.out << result.err;
    EXPECT_THAT(result.err, HasSubstr(one.says));
  }
  // The group has read the topic, and the folder that it wrote to is not there.
  auto elsewhere = consumer("good");
  std::filesystem::rename(dir_.file("good"), dir_.file("kept"));
  const auto lost = run(elsewhere);
  EXPECT_EQ(lost.exit_code, 2) << lost.err;
  EXPECT_THAT(lost.err, HasSubstr("all consumers of a group write to one folder"));
}

}  // namespace
}  // namespace lilith::test
