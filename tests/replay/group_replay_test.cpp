// The summaries of a consumer group add up to the report of one machine, whoever was given which
// partition when, was killed, or went on with one that it did not own any more.

#include "replay/group_replay.hpp"

#include "audit/base/file.hpp"
#include "audit/codec.hpp"
#include "replay/report.hpp"
#include "tests/replay/traffic_log.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>

namespace lilith::replay {
namespace {

using test::TempDir;
using testing::HasSubstr;
using testing::IsEmpty;

Candidates candidates(std::string_view command = "go") {
  return {rules::load_policy(test::small_policy(command), "a.yaml").policy,
          rules::load_policy(test::small_policy("npm", "log"), "b.yaml").policy};
}
std::vector<Candidate> names(const Candidates& candidates) {
  std::vector<Candidate> out;
  for (const auto& policy : candidates) out.push_back({policy->file_name(), policy->sha256()});
  return out;
}
PartitionName partition(int number) { return {"cluster-1", "audit.log", number}; }

// The messages of one partition: events of three hosts, some of them delivered twice.
std::vector<std::string> messages_of(std::mt19937& random, int number, std::size_t calls) {
  std::vector<std::string> out;
  for (int host = 0; host < 3; ++host) {
    const std::string chain = "chain-" + std::to_string(number) + "-" + std::to_string(host);
    auto events = test::traffic_events(static_cast<std::uint64_t>(random() % 1000), calls, chain);
    for (audit::Event& event : events) {
      event.host = "ws-" + chain;
      event.id = "019b" + std::to_string(1000 + number) + "-0000-7000-8" +
                 std::to_string(100 + host) + "-" + std::to_string(100'000'000'000 + event.seq);
      out.push_back(audit::encode(event));
    }
  }
  for (int i = 0; i < 6; ++i) {
    const std::size_t from = random() % (out.size() - 30), size = 1 + random() % 30;
    const std::vector<std::string> again(out.begin() + static_cast<std::ptrdiff_t>(from),
                                         out.begin() + static_cast<std::ptrdiff_t>(from + size));
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(from + size + random() % 3), again.begin(),
               again.end());
  }
  return out;
}

std::string json_of_folder(const std::string& folder) {
  const auto files = summaries_in(folder);
  Result<Summary> sum;
  for (std::size_t i = 0; i < files->size(); ++i) {
    auto one = Summary::from_json(test::read_text((*files)[i]));
    EXPECT_TRUE(one.has_value()) << (*files)[i];
    if (i == 0) {
      sum = std::move(one);
    } else {
      const auto added = sum->merge(*one);
      EXPECT_TRUE(added.has_value()) << (*files)[i] << ": " << added.error().message;
    }
  }
  return to_json(*sum, 1000);
}

// A group and its broker. Partitions are given to a consumer, which reads on from an offset of its
// own; nobody is asked whether another one reads the same.
class Group {
 public:
  Group(const std::string& folder, const std::vector<std::vector<std::string>>& topic,
        std::size_t events_max)
      : folder_(folder), topic_(topic), events_max_(events_max) {
    for (std::size_t i = 0; i < topic_.size(); ++i) {
      ends_[partition(static_cast<int>(i))] = static_cast<std::int64_t>(topic_[i].size());
    }
  }

  struct Consumer {
    std::unique_ptr<GroupReplay> replay;
    std::map<PartitionName, std::int64_t> at;
    std::set<PartitionName> paused;
  };
  Consumer join() {
    const Candidates policies = candidates();
    auto folder = RangeFolder::open(folder_, names(policies));
    return {std::make_unique<GroupReplay>(policies, std::move(*folder),
                                          GroupReplay::Options{events_max_, ends_}),
            {},
            {}};
  }
  void give(Consumer& to, const PartitionName& name) {
    if (to.at.contains(name)) return;
    const auto committed = committed_.find(name);
    const auto from =
        to.replay->given(name, 0, committed == committed_.end() ? -1 : committed->second);
    ASSERT_TRUE(from.has_value()) << from.error().message;
    to.at[name] = *from;
    obey(to);
  }
  void revoke(Consumer& from, const PartitionName& name) {
    ASSERT_TRUE(from.replay->revoked(name).has_value());
    obey(from);
    from.at.erase(name);
    from.paused.erase(name);
  }
  void read(Consumer& by, const PartitionName& name, std::size_t count) {
    const auto& messages = topic_[static_cast<std::size_t>(name.partition)];
    for (; count > 0 && by.at.contains(name) && !by.paused.contains(name); --count) {
      const std::int64_t at = by.at[name];
      if (at == ends_[name]) {
        ASSERT_TRUE(by.replay->reached(name, at).has_value());
      } else {
        by.at[name] = at + 1;
        const auto done = by.replay->message(name, at, messages[static_cast<std::size_t>(at)]);
        ASSERT_TRUE(done.has_value()) << done.error().message;
      }
      obey(by);
    }
  }
  [[nodiscard]] bool done() const {
    return std::all_of(ends_.begin(), ends_.end(), [&](const auto& end) {
      const auto committed = committed_.find(end.first);
      return committed != committed_.end() && committed->second >= end.second;
    });
  }

 private:
  void obey(Consumer& consumer) {
    using Kind = GroupReplay::Order::Kind;
    for (const GroupReplay::Order& order : consumer.replay->orders()) {
      if (order.kind == Kind::kCommit) {
        committed_[order.partition] = std::max(committed_[order.partition], order.offset);
      } else if (order.kind == Kind::kSeek) {
        consumer.at[order.partition] = order.offset;
      } else {
        consumer.paused.insert(order.partition);
      }
    }
  }

  std::string folder_;
  std::vector<std::vector<std::string>> topic_;
  std::size_t events_max_;
  std::map<PartitionName, std::int64_t> ends_, committed_;
};

TEST(GroupReplay, AddsUpToTheReportOfOneMachineWhateverHappensToItsConsumers) {
  std::mt19937 random(20261126);
  for (int round = 0; round < 6; ++round) {
    const TempDir dir;
    std::vector<std::vector<std::string>> topic;
    std::vector<std::string> dumps;
    for (int i = 0; i < 3; ++i) {
      topic.push_back(messages_of(random, i, 60));
      std::string lines;
      for (const std::string& message : topic.back()) lines += message + "\n";
      dumps.push_back(dir.file("partition-" + std::to_string(i)));
      test::write_text(dumps.back(), lines);
    }
    Group group(dir.file("summaries"), topic, 1 + random() % 120);
    std::vector<Group::Consumer> consumers;
    while (!group.done()) {
      if (consumers.size() < 3 && (consumers.empty() || random() % 20 == 0)) {
        consumers.push_back(group.join());
      }
      Group::Consumer& one = consumers[random() % consumers.size()];
      const PartitionName name = partition(static_cast<int>(random() % 3));
      switch (random() % 8) {
        case 0:
          group.revoke(one, name);
          break;
        case 1:
          if (random() % 4 == 0) {  // killed: what it had counted is gone
            std::swap(one, consumers.back());
            consumers.pop_back();
          }
          break;
        case 2:
        case 3:
          group.give(one, name);  // whoever else has it
          break;
        default:
          group.read(one, name, random() % 40);
      }
      ASSERT_FALSE(HasFatalFailure());
    }
    EXPECT_EQ(json_of_folder(dir.file("summaries")),
              to_json(*replay_files(dumps, candidates()), 1000))
        << "round " << round;
  }
}

class GroupFolder : public testing::Test {
 protected:
  RangeFolder open(const Candidates& policies) {
    return std::move(*RangeFolder::open(dir_.file("out"), names(policies)));
  }
  std::unique_ptr<GroupReplay> consumer() {
    return std::make_unique<GroupReplay>(candidates(), open(candidates()),
                                         GroupReplay::Options{1000, {}});
  }
  TempDir dir_;
};

TEST_F(GroupFolder, OfAnotherPolicyOrClusterOrWithLessThanTheGroupHasReadIsRefused) {
  std::mt19937 random(1);
  const auto messages = messages_of(random, 0, 40);
  const auto one = consumer();
  ASSERT_EQ(one->given(partition(0), 0, -1).value(), 0);
  ASSERT_TRUE(one->message(partition(0), 0, messages[0]).has_value());
  ASSERT_TRUE(one->revoked(partition(0)).has_value());
  const auto says = [](const Result<std::int64_t>& given) {
    return given ? "" : given.error().message;
  };
  EXPECT_THAT(says(consumer()->given(partition(0), 0, 2)),
              HasSubstr("read audit.log[0] up to offset 2, but " + dir_.file("out") +
                        " only to 1: all consumers of a group write to one folder"));
  EXPECT_THAT(says(consumer()->given({"cluster-2", "audit.log", 0}, 0, -1)),
              HasSubstr("another Kafka cluster"));
  GroupReplay other(candidates("npm"), open(candidates("npm")), {1000, {}});
  EXPECT_THAT(says(other.given(partition(0), 0, 1)), HasSubstr("other candidate policies"));
  EXPECT_EQ(consumer()->given(partition(0), 0, 1).value(), 1);
}

TEST_F(GroupFolder, SaysWhatTheTopicHadForgottenAndWhatIsNoEvent) {
  const auto one = consumer();
  ASSERT_TRUE(one->given(partition(0), 0, -1).has_value());
  ASSERT_TRUE(one->message(partition(0), 0, "no event").has_value());
  ASSERT_TRUE(one->message(partition(0), 1, "").has_value());
  ASSERT_TRUE(one->revoked(partition(0)).has_value());
  EXPECT_EQ(one->given(partition(0), 7, 2).value(), 7);
  ASSERT_TRUE(one->reached(partition(0), 9).has_value());
  ASSERT_TRUE(one->revoked(partition(0)).has_value());
  EXPECT_EQ(one->total().unreadable, 2U);
  const std::string report = json_of_folder(dir_.file("out"));
  EXPECT_THAT(report, HasSubstr("audit.log[0] offset 0: "));
  EXPECT_THAT(report, HasSubstr("audit.log[0]: offsets 2 to 6 are gone from the topic"));
  EXPECT_THAT(report, HasSubstr("\"complete\":false"));
}

TEST_F(GroupFolder, WithAHoleIsIncompleteAndTheHoleIsNamed) {
  const auto one = consumer();
  ASSERT_TRUE(one->given(partition(0), 0, -1).has_value());
  for (const std::int64_t end : {10, 25, 40}) {
    ASSERT_TRUE(one->reached(partition(0), end).has_value());
    ASSERT_TRUE(one->write_all().has_value());
  }
  EXPECT_THAT(json_of_folder(dir_.file("out")), HasSubstr("\"complete\":true"));
  const auto files = summaries_in(dir_.file("out")).value();
  ASSERT_EQ(files.size(), 3U);
  std::filesystem::remove(files[1]);
  EXPECT_THAT(json_of_folder(dir_.file("out")),
              HasSubstr("audit.log[0]: offsets 10 to 24 are in no summary"));
}

TEST_F(GroupFolder, LosesTheHalfWrittenSummaryOfAConsumerThatWasKilled) {
  const auto one = consumer();
  ASSERT_TRUE(one->given(partition(0), 0, -1).has_value());
  ASSERT_TRUE(one->reached(partition(0), 10).has_value());
  const std::string name = dir_.file("out/audit.log.0000000000.00000000000000000000.summary.json");
  test::write_text(name + ".tmp.aBcDeF", "{\"lilith_summary\":1,\"cand");
  EXPECT_THAT(summaries_in(dir_.file("out")).value(), IsEmpty());
  ASSERT_TRUE(one->revoked(partition(0)).has_value());
  EXPECT_THAT(summaries_in(dir_.file("out")).value(), testing::ElementsAre(name));
  EXPECT_FALSE(std::filesystem::exists(name + ".tmp.aBcDeF"));
}

TEST_F(GroupFolder, OverlapsAreRefusedByMerge) {
  const auto one = consumer();
  ASSERT_TRUE(one->given(partition(0), 0, -1).has_value());
  ASSERT_TRUE(one->reached(partition(0), 10).has_value());
  ASSERT_TRUE(one->revoked(partition(0)).has_value());
  const std::string text = test::read_text(summaries_in(dir_.file("out")).value()[0]);
  auto sum = Summary::from_json(text), again = Summary::from_json(text);
  ASSERT_TRUE(sum.has_value() && again.has_value());
  EXPECT_EQ(sum->to_json(), text);
  const auto twice = sum->merge(*again);
  ASSERT_FALSE(twice.has_value());
  EXPECT_THAT(twice.error().message, HasSubstr("the same offset of audit.log[0]"));
}

}  // namespace
}  // namespace lilith::replay
