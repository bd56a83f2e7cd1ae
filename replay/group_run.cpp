#include "replay/group_run.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/kafka/group_reader.hpp"
#include "audit/read/arrival.hpp"
#include "replay/command.hpp"
#include "replay/group_replay.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>

namespace lilith::replay {
namespace {

using Status = audit::GroupReader::Status;
using Reader = audit::GroupReader;

constexpr int kPollMs = 200;
constexpr std::chrono::seconds kLookEvery{1};  // at what the other consumers have read

volatile std::sig_atomic_t stop_asked = 0;

int not_read(const std::string& message) {
  std::fprintf(stderr, "lilith-replay: %s\n", printable(message).c_str());
  return kInputIncomplete;
}

int failed(const Error& error) {
  return error.code == ErrorCode::kInvalidInput ? complain(printable(error.message))
                                                : not_read(error.message);
}

// Between the group and what is counted: names of partitions, and orders back to the broker.
class Consumer final : public audit::PartitionOwner {
 public:
  void begin(Reader& reader, GroupReplay& replay) {
    reader_ = &reader;
    replay_ = &replay;
  }

  Result<std::int64_t> given(const audit::TopicPartition& partition, std::int64_t low,
                             std::int64_t committed) override {
    changed_ = true;
    return replay_->given(named(partition), low, committed);
  }
  // Pausing and seeking are of no use any more.
  Result<void> revoked(const audit::TopicPartition& partition) override {
    changed_ = true;
    const PartitionName name = named(partition);
    auto written = replay_->revoked(name);
    for (GroupReplay::Order& order : replay_->orders()) {
      if (order.kind == GroupReplay::Order::Kind::kCommit || order.partition != name)
        later_.push_back(std::move(order));
    }
    obey(GroupReplay::Order::Kind::kCommit);
    return written;
  }

  // Reads one message, or waits for one. Whether anything moved.
  Result<bool> step() {
    auto status = reader_->next(message_, kPollMs);
    if (!status) return pass_error(status);
    bool moved = std::exchange(changed_, false);
    if (*status != Status::kNothing) {
      if (name_.topic != message_.partition.topic ||
          name_.partition != message_.partition.partition) {
        name_ = named(message_.partition);
      }
      auto done = *status == Status::kMessage
                      ? replay_->message(name_, message_.offset, message_.value)
                      : replay_->reached(name_, message_.offset);
      if (!done) return pass_error(done);
      moved = moved || *status == Status::kMessage;
    }
    obey();
    return moved;
  }

  void obey(std::optional<GroupReplay::Order::Kind> only = {}) {
    for (GroupReplay::Order& order : replay_->orders()) later_.push_back(std::move(order));
    std::vector<GroupReplay::Order> kept;
    for (GroupReplay::Order& order : std::exchange(later_, {})) {
      const audit::TopicPartition partition{order.partition.topic, order.partition.partition};
      if (only && order.kind != *only) {
        kept.push_back(std::move(order));
      } else if (order.kind == GroupReplay::Order::Kind::kCommit) {
        reader_->commit(partition, order.offset);
      } else if (order.kind == GroupReplay::Order::Kind::kSeek) {
        reader_->seek(partition, order.offset);
      } else {
        reader_->pause(partition);
      }
    }
    later_ = std::move(kept);
  }

 private:
  [[nodiscard]] PartitionName named(const audit::TopicPartition& partition) const {
    return {reader_->cluster(), partition.topic, partition.partition};
  }

  Reader* reader_ = nullptr;
  GroupReplay* replay_ = nullptr;
  audit::GroupMessage message_;
  PartitionName name_;  // of the message before
  std::vector<GroupReplay::Order> later_;
  bool changed_ = false;
};

// How far the group has come, whoever reads what.
class Goal {
 public:
  explicit Goal(Reader::Offsets ends) : ends_(std::move(ends)) {}

  // True when all was read. `moved` when the group has committed more than at the last look.
  Result<bool> reached(Reader& reader, bool& moved) {
    auto now = reader.committed();
    if (!now) return pass_error(now);
    moved = moved || *now != last_;
    last_ = std::move(*now);
    return std::all_of(ends_.begin(), ends_.end(), [&](const auto& end) {
      return std::max<std::int64_t>(last_[end.first], 0) >= end.second;
    });
  }
  [[nodiscard]] std::string rest() {
    std::string out;
    for (const auto& [partition, end] : ends_) {
      const std::int64_t read = std::max<std::int64_t>(last_[partition], 0);
      if (read >= end) continue;
      out += (out.empty() ? "" : ", ") + partition.topic + "[" +
             std::to_string(partition.partition) + "] read to " + std::to_string(read) + " of " +
             std::to_string(end);
    }
    return out;
  }
  [[nodiscard]] std::size_t partitions() const { return ends_.size(); }

 private:
  Reader::Offsets ends_, last_;
};

using Time = MonotonicTime;

// Until the end of all partitions; empty, or why that was not reached.
Result<std::string> read_to_the_end(const GroupRun& options, Reader& reader, Consumer& consumer,
                                    Goal& goal) {
  Time progress = system_clock().monotonic(), look = progress;
  while (stop_asked == 0) {
    auto moved = consumer.step();
    if (!moved) return pass_error(moved);
    const Time now = system_clock().monotonic();
    if (!*moved && now >= look) {
      look = now + kLookEvery;
      auto all = goal.reached(reader, *moved);
      if (all && *all) return std::string();
    }
    if (*moved) progress = now;
    if (now - progress <= std::chrono::seconds(options.timeout_s)) continue;
    return "nothing moved for " + std::to_string(options.timeout_s) + " s" +
           (reader.trouble().empty() ? "" : ": " + reader.trouble()) + "; " + goal.rest();
  }
  return std::string("stopped by a signal");
}

Result<std::string> read_on(std::chrono::seconds every, Consumer& consumer, GroupReplay& replay) {
  Time next = system_clock().monotonic() + every;
  while (stop_asked == 0) {
    if (auto moved = consumer.step(); !moved) return pass_error(moved);
    const Time now = system_clock().monotonic();
    if (now < next) continue;
    next = now + every;
    if (auto written = replay.write_all(); !written) return pass_error(written);
    consumer.obey();
  }
  return std::string();
}

int finish(const GroupRun& options, const GroupReplay& replay, const std::string& why_not) {
  const GroupReplay::Total& total = replay.total();
  std::printf(
      "%llu messages read, %llu summaries written to %s; the report of the whole group: "
      "lilith replay merge %s\n",
      static_cast<unsigned long long>(total.messages),
      static_cast<unsigned long long>(total.summaries), options.folder.c_str(),
      options.folder.c_str());
  if (!why_not.empty()) {
    return not_read("not read to the end: " + why_not +
                    "; the same command goes on where this one ended");
  }
  if (total.unreadable == 0) return kGood;
  return not_read(std::to_string(total.unreadable) +
                  " messages are no events; the report names the first of them");
}

Result<audit::GroupOptions> group_of(const GroupRun& options) {
  audit::GroupOptions out{options.brokers, options.topics, options.group, {}};
  if (options.properties.empty()) return out;
  auto properties = audit::read_properties(options.properties);
  if (!properties) return pass_error(properties);
  out.properties = std::move(*properties);
  return out;
}

// Of all partitions, since others may have read them already. What is committed was asked for
// first: the folder may only be ahead of it.
Result<void> check_folder(Reader& reader, const GroupReplay& replay) {
  auto committed = reader.committed();
  if (!committed) return pass_error(committed);
  for (const auto& [partition, next] : *committed) {
    // Messages below what is committed may be gone: then only the folder's own policy is checked.
    auto low = next > 0 ? reader.low(partition) : Result<std::int64_t>(0);
    if (!low) return pass_error(low);
    if (auto good =
            replay.check({reader.cluster(), partition.topic, partition.partition}, *low, next);
        !good)
      return good;
  }
  return {};
}

int consume(const GroupRun& options, const Candidates& policies, Reader& reader, Consumer& consumer,
            std::chrono::seconds every, RangeFolder folder) {
  auto ends = reader.ends();
  if (!ends) return failed(ends.error());
  Goal goal(*ends);
  GroupReplay::Options limits_of_it{limits::kReplayGroupEventsMax, {}};
  for (const auto& [partition, end] : *ends) {
    if (!options.follow)
      limits_of_it.ends[{reader.cluster(), partition.topic, partition.partition}] = end;
  }
  GroupReplay replay(policies, std::move(folder), std::move(limits_of_it));
  if (auto good = check_folder(reader, replay); !good) return failed(good.error());
  consumer.begin(reader, replay);
  std::printf("%zu partition%s under %zu candidate%s, group %s ...\n", goal.partitions(),
              goal.partitions() == 1 ? "" : "s", policies.size(), policies.size() == 1 ? "" : "s",
              options.group.c_str());
  std::fflush(stdout);
  auto why_not = options.follow ? read_on(every, consumer, replay)
                                : read_to_the_end(options, reader, consumer, goal);
  const auto closed = reader.close();
  if (!why_not) return failed(why_not.error());
  if (!closed) return failed(closed.error());
  return finish(options, replay, *why_not);
}

}  // namespace

int run_group(const GroupRun& options, const Candidates& policies) {
  auto group = group_of(options);
  if (!group) return complain(group.error().message);
  auto every = audit::parse_span(options.every);
  if (!every) return complain(every.error().message);
  std::vector<Candidate> candidates;
  for (const auto& policy : policies) {
    candidates.push_back({policy->file_name(), policy->sha256()});
  }
  auto folder = RangeFolder::open(options.folder, std::move(candidates));
  if (!folder) return complain(folder.error().message);
  struct sigaction action{};
  action.sa_handler = [](int) { stop_asked = 1; };
  for (const int number : {SIGTERM, SIGINT}) ::sigaction(number, &action, nullptr);
  Consumer consumer;
  auto reader = audit::GroupReader::open(*group, consumer);
  if (!reader) return failed(reader.error());
  return consume(options, policies, **reader, consumer, *every, std::move(*folder));
}

}  // namespace lilith::replay
