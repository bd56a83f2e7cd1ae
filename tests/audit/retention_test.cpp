// What a log deletes, and what it does when nothing may be deleted and there is no room left.

#include "audit/base/file.hpp"
#include "audit/codec.hpp"
#include "audit/cursors.hpp"
#include "audit/log.hpp"
#include "audit/read/verify.hpp"
#include "tests/audit/sample_events.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lilith::audit {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kFileBytes = 20'000;

class Retention : public testing::Test {
 protected:
  Retention() {
    options_.path = dir_.file("log/audit.log");
    options_.host = "ws-42";
    options_.rotate_bytes = kFileBytes;
    options_.rotate_interval_min = std::chrono::seconds(0);
    options_.shipper_state = dir_.file("state");
    std::filesystem::create_directories(options_.shipper_state);
  }

  Result<Appended> append() {
    auto log = open_log(options_);
    if (!log) return pass_error(log);
    Event event = test::allowed_command();
    event.id.clear();
    event.seq = 0;
    event.time = {};
    return (*log)->append(event);
  }
  // Appends until the log was rotated `count` times.
  void fill(std::size_t count) {
    std::string last = rotated().empty() ? std::string() : rotated().back();
    while (count > 0) {
      ASSERT_TRUE(append());
      const auto files = rotated();
      if (files.empty() || files.back() == last) continue;
      last = files.back();
      --count;
    }
  }
  std::vector<std::string> rotated() const { return rotated_files(options_.path).value(); }
  // Of all lines that are there, oldest first.
  std::vector<Event> events() const {
    std::vector<Event> out;
    std::string bytes;
    for (const std::string& file : rotated()) bytes += test::read_text(file);
    bytes += test::read_text(options_.path);
    for (const std::string& line : test::lines_of(bytes)) out.push_back(decode(line).value());
    return out;
  }
  static Event last_of(const std::string& file) {
    return decode(test::lines_of(test::read_text(file)).back()).value();
  }
  void deliver(const std::string& sink, const Event& up_to) const {
    Position position;
    position.seq = up_to.seq;
    position.chain_id = up_to.chain_id;
    deliver(sink, position);
  }
  void deliver(const std::string& sink, const Position& position) const {
    test::write_text(checkpoint_path(options_.shipper_state, sink),
                     cursors_to_text({{options_.path, position}}));
  }
  std::size_t count(EventType type) const {
    const auto all = events();
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const Event& e) { return e.type == type; }));
  }

  test::TempDir dir_;
  LogOptions options_;
};

// ---- keep

struct KeepRow {
  const char* name;
  // Says what the sinks have delivered of four rotated files.
  std::function<void(const std::string& state, const std::string& log,
                     const std::vector<Event>& last)>
      deliver;
  std::size_t left;  // of five after the next rotation; `keep` is 2
};
void PrintTo(const KeepRow& row, std::ostream* out) { *out << row.name; }

void checkpoint(const std::string& state, const std::string& log, const std::string& sink,
                const Event& up_to) {
  Position position;
  position.seq = up_to.seq;
  position.chain_id = up_to.chain_id;
  test::write_text(checkpoint_path(state, sink), cursors_to_text({{log, position}}));
}

class RetentionKeep : public Retention, public testing::WithParamInterface<KeepRow> {};

TEST_P(RetentionKeep, NeverDeletesWhatASinkHasNotDelivered) {
  fill(4);
  std::vector<Event> last;
  for (const std::string& file : rotated()) last.push_back(last_of(file));
  GetParam().deliver(options_.shipper_state, options_.path, last);
  options_.rotate_keep = 2;
  fill(1);
  EXPECT_EQ(rotated().size(), GetParam().left);
  EXPECT_TRUE(append());
}
INSTANTIATE_TEST_SUITE_P(
    Log, RetentionKeep,
    testing::Values(
        KeepRow{"no_checkpoint_at_all", [](auto&, auto&, auto&) {}, 5},
        KeepRow{"no_state_directory",
                [](auto& state, auto&, auto&) { std::filesystem::remove_all(state); }, 5},
        KeepRow{"a_sink_that_has_not_begun",
                [](auto& state, auto& log, auto&) {
                  test::write_text(checkpoint_path(state, "a"), cursors_to_text({{log, {}}}));
                },
                5},
        KeepRow{
            "a_sink_that_does_not_name_the_log",
            [](auto& state, auto&, auto& last) { checkpoint(state, "/other.log", "a", last[3]); },
            5},
        KeepRow{"a_damaged_checkpoint",
                [](auto& state, auto& log, auto& last) {
                  checkpoint(state, log, "a", last[3]);
                  test::write_text(checkpoint_path(state, "b"), "{\"version\":1");
                },
                5},
        KeepRow{"numbers_that_are_none",
                [](auto& state, auto& log, auto& last) {
                  checkpoint(state, log, "a", last[3]);
                  std::string text = test::read_text(checkpoint_path(state, "a"));
                  const std::string seq = "\"seq\":\"" + std::to_string(last[3].seq);
                  text.insert(text.find(seq) + seq.size(), "99999999999999999999");
                  test::write_text(checkpoint_path(state, "a"), text);
                },
                5},
        KeepRow{"one_line_short_of_the_second_file",
                [](auto& state, auto& log, auto& last) {
                  Event before = last[1];
                  --before.seq;
                  checkpoint(state, log, "a", before);
                },
                4},
        KeepRow{"up_to_the_end_of_the_second_file",
                [](auto& state, auto& log, auto& last) { checkpoint(state, log, "a", last[1]); },
                3},
        KeepRow{"everything",
                [](auto& state, auto& log, auto& last) { checkpoint(state, log, "a", last[3]); },
                2},
        KeepRow{"the_slowest_sink_counts",
                [](auto& state, auto& log, auto& last) {
                  checkpoint(state, log, "a", last[3]);
                  checkpoint(state, log, "b", last[0]);
                },
                4},
        KeepRow{"another_chain",
                [](auto& state, auto& log, auto& last) {
                  Event other = last[3];
                  other.chain_id = "019ab337-0d5f-7000-8000-000000000000";
                  checkpoint(state, log, "a", other);
                },
                5},
        KeepRow{"a_checkpoint_that_is_just_being_replaced",
                [](auto& state, auto& log, auto& last) {
                  checkpoint(state, log, "a", last[3]);
                  checkpoint(state, log, "b", last[0]);
                  std::filesystem::rename(checkpoint_path(state, "b"),
                                          checkpoint_before_path(state, "b"));
                },
                4}),
    [](const auto& test) { return test.param.name; });

TEST_F(Retention, KeepAloneCountsWhereThereIsNoShipper) {
  options_.shipper_state.clear();
  options_.rotate_keep = 2;
  fill(5);
  EXPECT_EQ(rotated().size(), 2U);
}

// Of a compressed file the end is not read: it is where the next one begins.
TEST_F(Retention, CompressedFilesGoWhenTheNextOneHasBegunToBeDelivered) {
  fill(4);
  const auto files = rotated();
  const Event end = last_of(files[0]);
  std::filesystem::rename(files[0], files[0] + ".zst");
  options_.rotate_keep = 2;
  Event before = end;
  --before.seq;
  deliver("a", before);
  fill(1);
  EXPECT_EQ(rotated().size(), 5U);
  deliver("a", end);
  fill(1);
  EXPECT_EQ(rotated().size(), 5U) << "the compressed one went, and one came";
  EXPECT_FALSE(rotated().front().ends_with(".zst"));
}

// ---- quota

TEST_F(Retention, ADeliveredFileMakesRoomBeforeAnEventIsRefused) {
  options_.quota_bytes = limits::kLogReserveBytes + 3 * kFileBytes;
  fill(3);
  const Event end = last_of(rotated()[1]);
  deliver("a", end);
  const std::string first = rotated().front();
  fill(3);
  const auto files = rotated();
  EXPECT_EQ(std::count(files.begin(), files.end(), first), 0);
  EXPECT_GT(decode(test::lines_of(test::read_text(files.front())).front()).value().seq,
            std::uint64_t{1});
  EXPECT_EQ(count(EventType::kLogFull), 0U);
}

TEST_F(Retention, WithoutAnyDeliveredFileTheLogSaysOnceThatItIsFullAndRefuses) {
  options_.quota_bytes = limits::kLogReserveBytes + 4 * kFileBytes;
  Result<Appended> last = append();
  for (int i = 0; i < 1000 && last; ++i) last = append();
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().os_errno, ENOSPC);
  EXPECT_THAT(last.error().message, HasSubstr("audit.quota.max_bytes"));
  const auto full = events();
  EXPECT_EQ(full.back().type, EventType::kLogFull);
  EXPECT_EQ(full.back().category, Category::kIntegrity);
  EXPECT_EQ(full.back().action, Action::kError);
  EXPECT_EQ(full.back().reason_code, "log.quota");
  EXPECT_EQ(full.back().agent, "claude_code");
  EXPECT_EQ(full.front().seq, 1U) << "nothing was deleted";
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(append());
  EXPECT_EQ(events().size(), full.size());
  std::uint64_t bytes = std::filesystem::file_size(options_.path);
  for (const std::string& file : rotated()) bytes += std::filesystem::file_size(file);
  EXPECT_LE(bytes, options_.quota_bytes);

  // The shipper comes back.
  deliver("a", last_of(rotated().back()));
  ASSERT_TRUE(append());
  const auto after = events();
  const Event& resumed = after[after.size() - 2];
  EXPECT_EQ(resumed.type, EventType::kLogResumed);
  EXPECT_THAT(resumed.detail, testing::Contains(testing::Pair("refused_events", "6")));
  EXPECT_THAT(resumed.detail,
              testing::Contains(testing::Pair("full_since", format_time(full.back().time))));
  const auto report = verify({options_.path}, {.start_may_be_missing = true});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->intact()) << to_text(*report);
}

TEST_F(Retention, ALogThatIsFullBeforeItsTimeToRotateRotatesAtOnce) {
  options_.quota_bytes = limits::kLogReserveBytes + 2 * kFileBytes;
  ASSERT_TRUE(append());
  options_.rotate_interval_min = std::chrono::hours(24);
  Event all_there_will_be = events().back();
  all_there_will_be.seq = 1'000'000;
  deliver("a", all_there_will_be);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append()) << i;
  EXPECT_EQ(count(EventType::kLogFull), 0U);
}

TEST_F(Retention, FilesThatSomebodyTookAwayAreNoticedWhenItCounts) {
  options_.quota_bytes = limits::kLogReserveBytes + 4 * kFileBytes;
  while (append()) {
  }
  EXPECT_FALSE(append());
  std::filesystem::remove(rotated().front());
  EXPECT_TRUE(append());
  EXPECT_EQ(count(EventType::kLogResumed), 1U);
}

TEST_F(Retention, ManyProcessesSayItOnce) {
  options_.quota_bytes = limits::kLogReserveBytes + 3 * kFileBytes;
  options_.lock_timeout = std::chrono::seconds(60);
  std::vector<pid_t> children;
  for (int i = 0; i < 50; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (int n = 0; n < 5; ++n) (void)append();
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  EXPECT_EQ(count(EventType::kLogFull), 1U);
  EXPECT_FALSE(append());
}

// ---- the disk

// A tmpfs of its own, where that may be mounted.
class SmallDisk : public Retention {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(dir_.file("log"));
    mounted_ = ::mount("tmpfs", dir_.file("log").c_str(), "tmpfs", 0, "size=4m") == 0;
    if (!mounted_) GTEST_SKIP() << "the system refuses to mount a tmpfs";
    options_.free_bytes_min = std::uint64_t{1024} * 1024;
  }
  void TearDown() override {
    if (mounted_) ::umount(dir_.file("log").c_str());
  }
  bool mounted_ = false;
};

TEST_F(SmallDisk, ThatIsNearlyFullIsSaidWhileThereIsStillRoomForIt) {
  ASSERT_TRUE(append());
  const std::string other = dir_.file("log/other");
  test::write_text(other, std::string(std::size_t{3200} * 1024, 'x'));
  const auto refused = append();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().os_errno, ENOSPC);
  EXPECT_THAT(refused.error().message, HasSubstr("audit.quota.min_free_bytes"));
  EXPECT_EQ(events().back().type, EventType::kLogFull);
  EXPECT_EQ(events().back().reason_code, "log.disk");
  EXPECT_FALSE(append());
  EXPECT_EQ(count(EventType::kLogFull), 1U);
  std::filesystem::remove(other);
  EXPECT_TRUE(append());
  EXPECT_EQ(count(EventType::kLogResumed), 1U);
}

// Somebody else takes the last byte, the kept ones included: refused as well, and nothing half
// written stays.
TEST_F(SmallDisk, ThatIsFullToTheLastByteRefusesAndStaysWhole) {
  ASSERT_TRUE(append());
  const std::string before = test::read_text(options_.path);
  {
    std::string chunk(std::size_t{64} * 1024, 'x');
    FILE* other = std::fopen(dir_.file("log/other").c_str(), "w");
    while (std::fwrite(chunk.data(), 1, chunk.size(), other) == chunk.size()) {
    }
    std::fclose(other);
  }
  EXPECT_FALSE(append());
  EXPECT_TRUE(test::read_text(options_.path).starts_with(before));
  std::filesystem::remove(dir_.file("log/other"));
  EXPECT_TRUE(append());
  const auto report = verify({options_.path}, {.start_may_be_missing = false});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->intact()) << to_text(*report);
}

}  // namespace
}  // namespace lilith::audit
