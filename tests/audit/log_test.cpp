#include "audit/log.hpp"

#include "audit/base/file.hpp"
#include "audit/codec.hpp"
#include "tests/audit/sample_events.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <random>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lilith::audit {
namespace {

using testing::HasSubstr;

// The events of the rotated files and the log, after walking their one chain from genesis. Lines
// that are no events are allowed only where `foreign_lines` says how many.
std::vector<Event> walk(const std::string& path, std::size_t foreign_lines = 0) {
  std::string bytes;
  const std::vector<std::string> rotated = rotated_files(path).value();
  for (const std::string& file : rotated) bytes += test::read_text(file);
  bytes += test::read_text(path);
  EXPECT_TRUE(bytes.ends_with('\n'));
  std::vector<Event> events;
  std::string prev(kGenesis);
  std::size_t foreign = 0;
  for (const std::string& line : test::lines_of(bytes)) {
    auto event = decode(line);
    if (!event) {
      ++foreign;
      continue;
    }
    EXPECT_EQ(event->seq, events.size() + 1);
    EXPECT_EQ(event->chain_prev, prev);
    std::string unsigned_line = line;
    unsigned_line.erase(chain_fields(line).value().hash_at, 64);
    EXPECT_EQ(event->chain_hash, chain_hash(prev, unsigned_line));
    prev = event->chain_hash;
    events.push_back(std::move(*event));
  }
  EXPECT_EQ(foreign, foreign_lines);
  return events;
}

std::size_t count(const std::vector<Event>& events, EventType type) {
  return static_cast<std::size_t>(
      std::count_if(events.begin(), events.end(), [&](const Event& e) { return e.type == type; }));
}

LogOptions options_for(const std::string& path) {
  LogOptions options;
  options.path = path;
  options.host = "ws-42";
  return options;
}

Event fresh_event() {
  Event event = test::allowed_command();
  event.id.clear();
  event.time = {};
  event.seq = 0;
  return event;
}

void append_one(const LogOptions& options, const Clock& clock = system_clock()) {
  auto log = open_log(options, clock);
  ASSERT_TRUE(log.has_value()) << log.error().message;
  Event event = fresh_event();
  const auto appended = (*log)->append(event);
  ASSERT_TRUE(appended.has_value()) << appended.error().message;
  EXPECT_EQ(appended->chain_hash, event.chain_hash);
}

// Forks `count` processes that each append `each` events through their own open_log(); returns how
// many failed.
int append_from_processes(const LogOptions& options, int count, int each,
                          const PolicyInForce& policy = {}) {
  std::vector<pid_t> children;
  for (int i = 0; i < count; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (int n = 0; n < each; ++n) {
        auto log = open_log(options);
        Event event = fresh_event();
        event.call_id = std::to_string(i) + "." + std::to_string(n);
        if (!log || !(*log)->append(event, policy)) ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(pid);
  }
  int failed = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) ++failed;
  }
  return failed;
}

TEST(Log, BeginsWithLogOpenedAndKeepsModes) {
  const test::TempDir dir;
  const LogOptions options = options_for(dir.file("deep/audit.log"));
  append_one(options);
  const auto events = walk(options.path);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].type, EventType::kLogOpened);
  EXPECT_EQ(events[0].category, Category::kIntegrity);
  EXPECT_EQ(events[1].type, EventType::kDecision);
  struct stat info{};
  ASSERT_EQ(::stat(options.path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U & ~0640U, 0U);
  ASSERT_EQ(::stat(dir.file("deep").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U & ~0750U, 0U);
}

TEST(Log, ThreeHundredProcessesMakeOneLinearChain) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  options.lock_timeout = std::chrono::seconds(60);
  EXPECT_EQ(append_from_processes(options, 300, 1), 0);
  const auto events = walk(options.path);
  EXPECT_EQ(events.size(), 301U);
  EXPECT_EQ(count(events, EventType::kDecision), 300U);
}

TEST(Log, ChainGoesOnOverRotationByManyProcesses) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  options.lock_timeout = std::chrono::seconds(60);
  options.rotate_bytes = 30'000;
  options.rotate_interval_min = std::chrono::seconds(0);
  EXPECT_EQ(append_from_processes(options, 20, 20), 0);
  const auto rotated = rotated_files(options.path).value();
  EXPECT_GT(rotated.size(), 3U);
  const auto events = walk(options.path);
  EXPECT_EQ(count(events, EventType::kDecision), 400U);
  EXPECT_EQ(count(events, EventType::kLogOpened), rotated.size() + 1);
  EXPECT_EQ(count(events, EventType::kTamper), 0U);
  std::vector<std::string> named;
  for (const Event& event : events) {
    for (const auto& [key, value] : event.detail) {
      if (key == "previous_file") named.push_back(value);
    }
  }
  EXPECT_EQ(named, rotated);
}

TEST(Log, RotatesAtMostOncePerInterval) {
  const test::TempDir dir;
  test::ManualClock clock;
  LogOptions options = options_for(dir.file("audit.log"));
  options.rotate_bytes = 10'000;
  auto log = open_log(options, clock).value();
  for (int i = 0; i < 40; ++i) {
    Event event = fresh_event();
    ASSERT_TRUE(log->append(event).has_value());
  }
  EXPECT_TRUE(rotated_files(options.path).value().empty());
  clock.advance(options.rotate_interval_min);
  Event event = fresh_event();
  ASSERT_TRUE(log->append(event).has_value());
  EXPECT_EQ(rotated_files(options.path).value().size(), 1U);
  EXPECT_EQ(count(walk(options.path), EventType::kDecision), 41U);
}

TEST(Log, SealsATornLineWhereverItWasCut) {
  const test::TempDir dir;
  const LogOptions options = options_for(dir.file("audit.log"));
  append_one(options);
  append_one(options);
  const std::string whole = test::read_text(options.path);
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t cut = last + 1; cut < whole.size(); cut += 37) {
    // A power cut: the last write came through in part, and the state of the lock file not at all.
    test::write_text(options.path, whole.substr(0, cut));
    test::write_text(options.path + ".lock", "");
    append_one(options);
    const auto events = walk(options.path, 1);
    ASSERT_EQ(events.size(), 4U) << "cut at " << cut;
    EXPECT_EQ(events[2].type, EventType::kLogSealed);
    EXPECT_THAT(events[2].detail,
                testing::Contains(testing::Pair("torn_bytes", std::to_string(cut - last))));
  }
}

TEST(Log, EndsALineThatLostOnlyItsLineFeed) {
  const test::TempDir dir;
  const LogOptions options = options_for(dir.file("audit.log"));
  append_one(options);
  append_one(options);
  std::string whole = test::read_text(options.path);
  whole.pop_back();
  test::write_text(options.path, whole);
  test::write_text(options.path + ".lock", "");
  append_one(options);
  const auto events = walk(options.path);
  EXPECT_EQ(events.size(), 4U);
  EXPECT_EQ(count(events, EventType::kLogSealed), 0U);
}

struct TamperCase {
  const char* name;
  void (*act)(const std::string& path);
  const char* says;
};
void PrintTo(const TamperCase& c, std::ostream* out) { *out << c.name; }
class LogNotices : public testing::TestWithParam<TamperCase> {};
TEST_P(LogNotices, AndSaysSoInTheSameChain) {
  for (const bool kept_open : {false, true}) {
    SCOPED_TRACE(kept_open ? "by a writer that was there before" : "by a new writer");
    const test::TempDir dir;
    const LogOptions options = options_for(dir.file("audit.log"));
    for (int i = 0; i < 3; ++i) append_one(options);
    auto writer = open_log(options).value();
    Event event = fresh_event();
    if (kept_open) {
      ASSERT_TRUE(writer->append(event));
    }
    const std::uint64_t seq_before = walk(options.path).back().seq;
    GetParam().act(options.path);
    event = fresh_event();
    ASSERT_TRUE(writer->append(event));
    const auto lines = test::lines_of(test::read_text(options.path));
    const Event last = decode(lines.back()).value();
    const Event tamper = decode(lines[lines.size() - 2]).value();
    EXPECT_EQ(tamper.type, EventType::kTamper);
    EXPECT_THAT(tamper.reason, HasSubstr(GetParam().says));
    EXPECT_GT(tamper.seq, seq_before);
    EXPECT_EQ(last.seq, tamper.seq + 1);
    EXPECT_EQ(last.chain_prev, tamper.chain_hash);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Log, LogNotices,
    testing::Values(
        TamperCase{"removed", [](const std::string& path) { std::filesystem::remove(path); },
                   "removed or emptied"},
        TamperCase{"emptied", [](const std::string& path) { test::write_text(path, ""); },
                   "removed or emptied"},
        TamperCase{"last_line_cut",
                   [](const std::string& path) {
                     const std::string whole = test::read_text(path);
                     test::write_text(path,
                                      whole.substr(0, whole.rfind('\n', whole.size() - 2) + 1));
                   },
                   "removed or changed"},
        TamperCase{"text_appended",
                   [](const std::string& path) { test::append_text(path, "hello\nworld\n"); },
                   "no events"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(Log, FinishesARotationThatWasCutShort) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  append_one(options);
  // Killed after the rename, before the new file.
  std::filesystem::rename(options.path, options.path + ".00000000000000000001");
  append_one(options);
  EXPECT_EQ(count(walk(options.path), EventType::kTamper), 0U);
  // Killed between link(2) and unlink(2).
  options.rotate_bytes = 1;
  options.rotate_interval_min = std::chrono::seconds(0);
  const std::uint64_t first = decode(test::lines_of(test::read_text(options.path))[0]).value().seq;
  std::string digits = std::to_string(first);
  digits.insert(0, 20 - digits.size(), '0');
  std::filesystem::create_hard_link(options.path, options.path + "." + digits);
  append_one(options);
  EXPECT_EQ(count(walk(options.path), EventType::kTamper), 0U);
  EXPECT_EQ(rotated_files(options.path).value().size(), 2U);
}

// ---- policies

PolicyInForce policy_at(const std::string& path, char content, Mode mode = Mode::kEnforce) {
  return {std::string(64, content), mode, path};
}

// Each policy_loaded event of the log as "PATH CONTENT MODE, PREVIOUS CONTENT PREVIOUS MODE"; each
// other event but log_opened as ".".
std::vector<std::string> told(const std::string& path) {
  std::vector<std::string> out;
  for (const Event& event : walk(path)) {
    if (event.type == EventType::kLogOpened) continue;
    if (event.type != EventType::kPolicyLoaded) {
      out.emplace_back(".");
      continue;
    }
    EXPECT_EQ(event.category, Category::kPolicy);
    EXPECT_EQ(event.action, Action::kNone);
    std::string line, before;
    for (const auto& [key, value] : event.detail) {
      if (key == "path") line = value;
      if (key == "previous_sha256") before += ", " + value.substr(0, 1);
      if (key == "previous_mode") before += " " + value;
    }
    line += " " + event.policy_sha256.substr(0, 1) + " " + std::string(name(event.mode));
    out.push_back(line + before);
  }
  return out;
}

struct PolicyRow {
  const char* name;
  std::vector<PolicyInForce> loaded;  // by one writer after the other
  std::vector<std::string> told;
};
void PrintTo(const PolicyRow& row, std::ostream* out) { *out << row.name; }
class LogPolicies : public testing::TestWithParam<PolicyRow> {};

TEST_P(LogPolicies, AreToldWhenTheyChange) {
  for (const bool one_writer : {false, true}) {
    const test::TempDir dir;
    const LogOptions options = options_for(dir.file("audit.log"));
    auto log = open_log(options);
    for (const PolicyInForce& policy : GetParam().loaded) {
      if (!one_writer) log = open_log(options);
      Event event = fresh_event();
      ASSERT_TRUE((*log)->append(event, policy));
    }
    EXPECT_EQ(told(options.path), GetParam().told) << (one_writer ? "one" : "many");
  }
}
INSTANTIATE_TEST_SUITE_P(
    Log, LogPolicies,
    testing::Values(
        PolicyRow{"none", {{}, {}}, {".", "."}},
        PolicyRow{
            "the_first", {policy_at("/p", 'a'), policy_at("/p", 'a')}, {"/p a enforce", ".", "."}},
        PolicyRow{"another",
                  {policy_at("/p", 'a'), policy_at("/p", 'b')},
                  {"/p a enforce", ".", "/p b enforce, a enforce", "."}},
        PolicyRow{"enforcement_off",
                  {policy_at("/p", 'a'), policy_at("/p", 'b', Mode::kAudit)},
                  {"/p a enforce", ".", "/p b audit, a enforce", "."}},
        PolicyRow{
            "back_again",
            {policy_at("/p", 'a'), policy_at("/p", 'b'), policy_at("/p", 'a')},
            {"/p a enforce", ".", "/p b enforce, a enforce", ".", "/p a enforce, b enforce", "."}},
        PolicyRow{"two_projects_in_turns",
                  {policy_at("/p", 'a'), policy_at("/q", 'b', Mode::kAudit), policy_at("/p", 'a'),
                   policy_at("/q", 'b', Mode::kAudit), policy_at("/p", 'c')},
                  {"/p a enforce", ".", "/q b audit, a enforce", ".", ".", ".",
                   "/p c enforce, a enforce", "."}},
        PolicyRow{"the_same_bytes_elsewhere",
                  {policy_at("/p", 'a'), policy_at("/q", 'a')},
                  {"/p a enforce", ".", "/q a enforce, a enforce", "."}}),
    [](const auto& test) { return test.param.name; });

TEST(Log, RemembersABoundedNumberOfPoliciesTheLastOnes) {
  const test::TempDir dir;
  const LogOptions options = options_for(dir.file("audit.log"));
  const std::string longest(limits::kPathBytesMax, 'x');
  for (std::size_t i = 0; i <= limits::kLogPoliciesMax; ++i) {
    Event event = fresh_event();
    ASSERT_TRUE(open_log(options).value()->append(
        event, policy_at("/" + std::to_string(i) + longest, 'a')));
  }
  const auto again = [&](std::size_t i) {
    const std::size_t before = told(options.path).size();
    Event event = fresh_event();
    EXPECT_TRUE(open_log(options).value()->append(
        event, policy_at("/" + std::to_string(i) + longest, 'a')));
    return told(options.path).size() - before;
  };
  EXPECT_EQ(again(limits::kLogPoliciesMax), 1U);
  EXPECT_EQ(again(1), 1U);
  EXPECT_EQ(again(0), 2U) << "the one heard of first is forgotten";
}

TEST(Log, WritesAnAnnouncementOnlyWhereItIsNews) {
  const test::TempDir dir;
  const LogOptions options = options_for(dir.file("audit.log"));
  EXPECT_EQ(policy_known(options.path, policy_at("/p", 'a')), PolicyKnown::kNothing);
  append_one(options);
  EXPECT_EQ(policy_known(options.path, policy_at("/p", 'a')), PolicyKnown::kNothing);
  for (int i = 0; i < 2; ++i) {
    Event loaded = fresh_event();
    loaded.type = EventType::kPolicyLoaded;
    loaded.category = Category::kPolicy;
    loaded.action = Action::kNone;
    const auto appended = open_log(options).value()->append(loaded, policy_at("/p", 'a'));
    ASSERT_TRUE(appended);
    EXPECT_EQ(appended->seq, 3U);
  }
  EXPECT_EQ(told(options.path), (std::vector<std::string>{".", "/p a enforce"}));
  EXPECT_EQ(policy_known(options.path, policy_at("/p", 'a')), PolicyKnown::kSame);
  EXPECT_EQ(policy_known(options.path, policy_at("/p", 'b')), PolicyKnown::kOther);
}

TEST(Log, TellsAPolicyOnceHoweverManyProcessesComeUponIt) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  options.lock_timeout = std::chrono::seconds(60);
  options.rotate_bytes = 20'000;
  options.rotate_interval_min = std::chrono::seconds(0);
  for (const char content : {'a', 'b'}) {
    EXPECT_EQ(append_from_processes(options, 100, 1, policy_at("/p", content)), 0);
  }
  EXPECT_GT(rotated_files(options.path).value().size(), 1U);
  auto lines = told(options.path);
  EXPECT_EQ(lines.front(), "/p a enforce") << "before any decision by it";
  EXPECT_EQ(lines[101], "/p b enforce, a enforce");
  EXPECT_EQ(lines.size(), 202U);
}

TEST(Log, RefusesASymbolicLinkAndWhatIsNoFile) {
  const test::TempDir dir;
  test::write_text(dir.file("elsewhere"), "");
  std::filesystem::create_symlink(dir.file("elsewhere"), dir.file("link"));
  std::filesystem::create_directory(dir.file("directory"));
  for (const char* name : {"link", "directory"}) {
    auto log = open_log(options_for(dir.file(name))).value();
    Event event = fresh_event();
    const auto appended = log->append(event);
    ASSERT_FALSE(appended.has_value()) << name;
    EXPECT_THAT(appended.error().message, HasSubstr(dir.file(name)));
  }
  EXPECT_EQ(test::read_text(dir.file("elsewhere")), "");
  EXPECT_FALSE(open_log(options_for("relative.log")).has_value());
}

TEST(Log, SaysWhenTheLockIsHeld) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  append_one(options);
  const UniqueFd holder(::open((options.path + ".lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(holder.get(), LOCK_EX), 0);
  options.lock_timeout = std::chrono::milliseconds(20);
  auto log = open_log(options).value();
  Event event = fresh_event();
  const auto appended = log->append(event);
  ASSERT_FALSE(appended.has_value());
  EXPECT_EQ(appended.error().code, ErrorCode::kUnavailable);
}

TEST(Log, AWriterThatStaysTakesTheLockThatOthersFind) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  options.lock_timeout = std::chrono::milliseconds(20);
  auto staying = open_log(options).value();
  Event event = fresh_event();
  ASSERT_TRUE(staying->append(event));
  std::filesystem::remove(options.path + ".lock");
  append_one(options);  // makes a new one
  {
    const UniqueFd holder(::open((options.path + ".lock").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::flock(holder.get(), LOCK_EX), 0);
    event = fresh_event();
    const auto appended = staying->append(event);
    ASSERT_FALSE(appended.has_value());
    EXPECT_EQ(appended.error().code, ErrorCode::kUnavailable);
  }
  event = fresh_event();
  EXPECT_TRUE(staying->append(event));
  EXPECT_EQ(walk(options.path).size(), 4U);
}

TEST(Log, WritersThatStayMakeOneChainOverRotations) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  options.rotate_bytes = 1;
  options.rotate_interval_min = std::chrono::seconds(0);
  auto one = open_log(options).value(), other = open_log(options).value();
  for (const auto& writer : {&one, &one, &other, &other, &one, &other}) {
    Event event = fresh_event();
    ASSERT_TRUE((*writer)->append(event));
  }
  const auto events = walk(options.path);
  EXPECT_EQ(count(events, EventType::kDecision), 6U);
  EXPECT_EQ(count(events, EventType::kTamper), 0U);
  EXPECT_GT(count(events, EventType::kLogOpened), 2U);
}

// Events that are refused leave no line, only a count beside the log.
TEST(Log, WritersThatStayCountTogetherWhatAFullLogRefuses) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  auto one = open_log(options).value();
  Event event = fresh_event();
  ASSERT_TRUE(one->append(event));
  LogOptions full = options;
  full.quota_bytes = 1;
  auto first = open_log(full).value(), second = open_log(full).value();
  for (const auto& writer : {&first, &second, &first, &second}) {
    event = fresh_event();
    EXPECT_FALSE((*writer)->append(event));
  }
  event = fresh_event();
  ASSERT_TRUE(one->append(event));
  const auto events = walk(options.path);
  const auto resumed = std::find_if(events.begin(), events.end(), [](const Event& e) {
    return e.type == EventType::kLogResumed;
  });
  ASSERT_NE(resumed, events.end());
  EXPECT_THAT(resumed->detail, testing::Contains(testing::Pair("refused_events", "4")));
}

// A file system that takes no more bytes in the middle of a line: RLIMIT_FSIZE gives the same short
// write and error.
TEST(Log, LeavesNoPartOfALineBehindWhenTheDiskIsFull) {
  const test::TempDir dir;
  const LogOptions options = options_for(dir.file("audit.log"));
  append_one(options);
  const std::string before = test::read_text(options.path);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{before.size() + 100, before.size() + 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto log = open_log(options);
    Event event = fresh_event();
    ::_exit(log && !(*log)->append(event) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0) << "append() claimed success";
  EXPECT_EQ(test::read_text(options.path), before);
  append_one(options);
  EXPECT_EQ(walk(options.path).size(), 3U);
}

TEST(Log, StaysWholeWhenWritersAreKilled) {
  const test::TempDir dir;
  LogOptions options = options_for(dir.file("audit.log"));
  options.lock_timeout = std::chrono::seconds(60);
  options.rotate_bytes = 50'000;
  options.rotate_interval_min = std::chrono::seconds(0);
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  append_one(options);
  // Every writer holds its end, also one whose parent was killed and that goes on for a while.
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd all_gone(ends[0]);
  UniqueFd writers(ends[1]);
  for (int round = 0; round < 30; ++round) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      for (;;) append_from_processes(options, 1, 10);
    }
    ::usleep(static_cast<useconds_t>(random() % 8000));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  writers.reset();
  char nothing = 0;
  ASSERT_EQ(::read(all_gone.get(), &nothing, 1), 0);
  append_one(options);
  const auto events = walk(options.path);
  EXPECT_EQ(count(events, EventType::kTamper), 0U);
  EXPECT_GT(events.size(), 2U);
}

}  // namespace
}  // namespace lilith::audit
