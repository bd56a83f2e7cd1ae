// Replay counts what deciding each event by itself gives: however a line is spelled, whatever was
// done to it, in any number of threads, in one piece or in parts that are added up.

#include "replay/replay.hpp"

#include "audit/codec.hpp"
#include "replay/import.hpp"
#include "replay/intake.hpp"
#include "replay/progress.hpp"
#include "replay/report.hpp"
#include "tests/replay/traffic_log.hpp"
#include "tests/support/sanitized.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <malloc.h>
#include <random>
#include <set>

namespace lilith::replay {
namespace {

using test::lines_of_events;
using test::TempDir;
using test::traffic_events;
using test::write_text;
using testing::HasSubstr;

std::shared_ptr<const rules::Policy> policy(std::string_view command,
                                            std::string_view action = "deny") {
  auto load =
      rules::load_policy(test::small_policy(command, action), std::string(command) + ".yaml");
  EXPECT_TRUE(load.policy) << (load.diagnostics.empty() ? "" : load.diagnostics[0].message);
  return load.policy;
}
Candidates two_policies() { return {policy("go"), policy("npm", "log")}; }

Summary replayed(const std::vector<std::string>& files, const Candidates& candidates,
                 std::size_t threads = 1) {
  auto summary = replay_files(files, candidates, {.threads = threads});
  EXPECT_TRUE(summary.has_value());
  return std::move(*summary);
}

// Everything that there is to see.
std::string all_of(const Summary& summary) {
  return to_text(summary, 1000) + to_json(summary, 1000) + summary.to_json() +
         (summary.candidates().size() == 2 ? diff_to_json(summary, 1000) : "");
}

// A blank before the first key: the same JSON, but not the layout of the writer, so that each line
// goes through the full decoder.
std::string spelled_otherwise(const std::string& lines) {
  std::string out;
  for (const std::string& line : test::lines_of(lines)) {
    out += line.starts_with('{') ? "{ " + line.substr(1) : line;
    out += '\n';
  }
  if (!lines.ends_with('\n')) out.pop_back();
  return out;
}

TEST(Replay, IsTheSameForLinesThatNeedTheFullDecoder) {
  const TempDir dir;
  const std::string log = dir.file("a.log");
  const std::string lines = lines_of_events(traffic_events(1, 4000, "chain-1"));
  write_text(log, lines);
  const std::string fast = all_of(replayed({log}, two_policies()));
  write_text(log, spelled_otherwise(lines));
  EXPECT_EQ(all_of(replayed({log}, two_policies())), fast);
}

TEST(Replay, IsTheSameForDamagedLinesThatNeedTheFullDecoder) {
  const TempDir dir;
  const std::string log = dir.file("a.log");
  std::mt19937 random(20261128);
  for (int round = 0; round < 10; ++round) {
    std::string lines;
    for (std::string line : test::lines_of(lines_of_events(traffic_events(2, 300, "chain-1")))) {
      if (random() % 4 == 0) {
        static constexpr std::string_view kBytes = "\"\\{}[],:0x \x01\x7F\xFF";
        line[random() % line.size()] = kBytes[random() % kBytes.size()];
      }
      lines += line + "\n";
    }
    if (round % 2 == 0) lines.resize(lines.size() - 1 - random() % 50);
    write_text(log, lines);
    const Summary fast = replayed({log}, two_policies());
    write_text(log, spelled_otherwise(lines));
    ASSERT_EQ(all_of(replayed({log}, two_policies())), all_of(fast)) << "round " << round;
    EXPECT_GT(fast.input.unreadable, 0U);
  }
}

TEST(Replay, OfTheRecordedBaselineIsTheSameForTheFullDecoder) {
  LILITH_NEEDS_SHARED(history, "data/claude_code_baseline.ndjson");
  const TempDir dir;
  ImportReport report;
  const auto events = read_history({history}, {.form = "neutral"}, report);
  ASSERT_TRUE(events.has_value());
  const std::string lines = lines_of_events(*events);
  write_text(dir.file("a.log"), lines);
  const std::string fast = all_of(replayed({dir.file("a.log")}, two_policies()));
  write_text(dir.file("a.log"), spelled_otherwise(lines));
  EXPECT_EQ(all_of(replayed({dir.file("a.log")}, two_policies())), fast);
}

TEST(Replay, GivesTheSameBytesForAnyNumberOfThreads) {
  const TempDir dir;
  const std::string a = dir.file("a.log"), b = dir.file("b.log");
  write_text(a, lines_of_events(traffic_events(1, 3000, "chain-1")) + "no event\n{\"torn\":");
  write_text(b, lines_of_events(traffic_events(7, 3000, "chain-2")));
  const std::string one = all_of(replayed({a, b, a}, two_policies()));
  for (const std::size_t threads : {2U, 3U, 8U}) {
    EXPECT_EQ(all_of(replayed({a, b, a}, two_policies(), threads)), one) << threads << " threads";
  }
}

// No memory of calls, no rows, no tables: each event is decided by itself and counted.
TEST(Replay, CountsWhatDecidingEachEventGives) {
  const auto events = traffic_events(5, 3000, "chain-1");
  const TempDir dir;
  write_text(dir.file("a.log"), lines_of_events(events));
  const auto candidate = policy("go");
  std::map<std::string, std::uint64_t> by_rule;
  std::map<std::string, std::set<std::string>> hosts_of_rule;
  std::map<std::string, std::string> example_of_rule;
  std::set<std::string> ids;
  std::uint64_t changes[kChanges] = {}, others = 0, repeats = 0, refused = 0;
  for (const audit::Event& event : events) {
    const bool imported = event.type == audit::EventType::kImported;
    if (!imported && event.type != audit::EventType::kDecision) {
      ++others;
    } else if (!ids.insert(event.id).second) {
      ++repeats;
    } else if (imported && event.detail.at(0).second == "rejected") {
      ++refused;
    } else if (!why_unknown(event).empty()) {
      ++changes[static_cast<std::size_t>(Change::kUnknown)];
    } else {
      const auto analysis = rules::analyse(event.call);
      const auto now =
          rules::decide(*candidate, {event.agent, event.tool, event.server}, analysis, event.facts);
      const bool deny = now.verdict == audit::Verdict::kDeny;
      const bool denied = !imported && event.decision == audit::Verdict::kDeny;
      const Change change = deny == denied ? Change::kUnchanged
                            : deny         ? Change::kNewlyDenied
                                           : Change::kNewlyAllowed;
      ++changes[static_cast<std::size_t>(change)];
      if (change != Change::kNewlyDenied) continue;
      ++by_rule[now.rule];
      hosts_of_rule[now.rule].insert(event.host);
      example_of_rule.emplace(now.rule, event.id);
    }
  }
  const Summary summary = replayed({dir.file("a.log")}, {candidate});
  EXPECT_EQ(summary.quality.other_events, others);
  EXPECT_EQ(summary.quality.duplicates, repeats);
  EXPECT_EQ(summary.quality.refused_by_person, refused);
  const CandidateTally tally = summary.tally(1000)[0];
  for (std::size_t i = 0; i < kChanges; ++i) EXPECT_EQ(tally.changes[i], changes[i]) << i;
  const Table& rules = tally.newly_denied[static_cast<std::size_t>(By::kRule)];
  ASSERT_EQ(rules.groups, by_rule.size());
  ASSERT_GT(rules.groups, 2U);
  for (const Group& group : rules.rows) {
    EXPECT_EQ(group.events, by_rule[group.key]) << group.key;
    EXPECT_EQ(group.hosts, hosts_of_rule[group.key].size()) << group.key;
    EXPECT_EQ(group.example, example_of_rule[group.key]) << group.key;
  }
}

// What stays in memory for `calls` distinct calls, in bytes a call; every second one is denied,
// each at a target of its own.
double bytes_a_call(std::uint64_t calls) {
  const std::size_t before = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  Replayer replayer({policy("go")});
  Batch batch;
  for (std::uint64_t i = 0; i < calls; ++i) {
    batch.clear();
    const std::string number = std::to_string(i);
    const std::string id =
        "019b0001-0000-7000-8000-" + std::string(12 - number.size(), '0') + number;
    Observation& event = batch.events.emplace_back();
    event.kind = Observation::Kind::kCall;
    event.id_text = id;
    event.id = keyed_hash(id);
    event.key = keyed_hash(number);
    event.host = event.user = "someone";
    event.seq = i + 1;
    DecidedCall& call = batch.decided.emplace_back();
    call.key = event.key;
    call.verdicts.push_back({i % 2 == 0, i % 2 == 0, "tool_invocations.read_file", ""});
    if (i % 2 == 0) call.verdicts[0].target = "read_file /home/someone/projects/app/src/" + number;
    replayer.add(batch);
  }
  EXPECT_EQ(replayer.summary().quality.decided, calls);
  const std::size_t after = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
  return static_cast<double>(after - before) / static_cast<double>(calls);
}

TEST(ReplayMemory, StaysWithin150BytesADistinctCall) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  // The tables are as full as with ten million: 0.6 of their places.
  EXPECT_LE(bytes_a_call(625'000), 150);
}

TEST(ReplayMemory, HoldsTenMillionDistinctCallsInTwoGibibytes) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  if (std::getenv("LILITH_LONG") == nullptr) GTEST_SKIP() << "long form: set LILITH_LONG";
  EXPECT_LE(bytes_a_call(10'000'000) * 1e7, 2.0 * 1024 * 1024 * 1024);
}

// ---- summaries

TEST(Summaries, AddUpToTheReportOfOneMachine) {
  const TempDir dir;
  const std::string a = dir.file("a.log"), b = dir.file("b.log"), c = dir.file("c.log");
  write_text(a, lines_of_events(traffic_events(1, 1500, "chain-1")) + "no event\n");
  write_text(b, lines_of_events(traffic_events(7, 1500, "chain-2")));
  write_text(c, lines_of_events(traffic_events(9, 700, "chain-3")));
  const std::string whole = all_of(replayed({a, b, c}, two_policies()));
  Summary sum = replayed({a}, two_policies());
  for (const std::string& file : {b, c}) {
    const std::string written = replayed({file}, two_policies()).to_json();
    const auto read = Summary::from_json(written);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->to_json(), written);
    ASSERT_TRUE(sum.merge(*read).has_value());
  }
  EXPECT_EQ(all_of(sum), whole);
}

TEST(Summaries, OfTheSameEventsAreRefused) {
  const TempDir dir;
  auto events = traffic_events(1, 200, "chain-1");
  write_text(dir.file("a.log"), lines_of_events(events));
  events.erase(events.begin(), events.begin() + 150);
  write_text(dir.file("tail.log"), lines_of_events(events));
  Summary sum = replayed({dir.file("a.log")}, two_policies());
  const std::string before = all_of(sum);
  const auto twice = sum.merge(replayed({dir.file("tail.log")}, two_policies()));
  ASSERT_FALSE(twice.has_value());
  EXPECT_THAT(twice.error().message, HasSubstr("chain-1"));
  const auto others = sum.merge(replayed({dir.file("tail.log")}, {policy("go")}));
  ASSERT_FALSE(others.has_value());
  EXPECT_THAT(others.error().message, HasSubstr("different candidate"));
  EXPECT_EQ(all_of(sum), before) << "a refused summary changes nothing";
}

TEST(Summaries, ThatAreDamagedAreRefusedByName) {
  const TempDir dir;
  write_text(dir.file("a.log"), lines_of_events(traffic_events(1, 50, "chain-1")));
  const std::string good = replayed({dir.file("a.log")}, two_policies()).to_json();
  const auto refuses = [&](std::string_view from, std::string_view to, const char* says) {
    std::string bad = good;
    const std::size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    const auto read = Summary::from_json(bad);
    ASSERT_FALSE(read.has_value()) << from;
    EXPECT_THAT(read.error().message, HasSubstr(says)) << from;
  };
  refuses("\"lilith_summary\":1", "\"lilith_summary\":2", "version 1");
  refuses("\"decided\":", "\"decided\":-", "decided");
  refuses("\"was_denied\":", "\"was_denied\":0,\"x\":", "was_denied");
  refuses("\"rows\":[", "\"rows\":[{},", "verdicts");
  refuses("\"seqs\":[{\"first\":1", "\"seqs\":[{\"first\":0", "seqs");
  refuses("}\n", "", "JSON");
}

// ---- what the input lacks

TEST(Input, NamesWhatIsMissingTornRepeatedAndSilent) {
  auto events = traffic_events(1, 400, "chain-1");
  events.erase(events.begin() + 200, events.begin() + 203);
  events.back().time += std::chrono::hours(24 * 30);
  const TempDir dir;
  const std::string log = dir.file("a.log");
  std::string lines = lines_of_events(events);
  write_text(log, lines);
  const Summary gap = replayed({log}, two_policies());
  EXPECT_EQ(gap.missing(), 3U);
  EXPECT_TRUE(incomplete(gap));
  EXPECT_THAT(to_text(gap, 5), HasSubstr("chain chain-1: seq 201 to 203 are missing"));
  EXPECT_THAT(to_text(gap, 5), HasSubstr("silent at the end for more than 72 hours: 7 hosts"));

  write_text(log, lines_of_events(traffic_events(1, 400, "chain-1")));
  EXPECT_FALSE(incomplete(replayed({log}, two_policies())));
  const Summary twice = replayed({log, log}, two_policies());
  EXPECT_FALSE(incomplete(twice)) << "a copy adds nothing and lacks nothing";
  EXPECT_EQ(twice.quality.decided, replayed({log}, two_policies()).quality.decided);

  lines.pop_back();
  write_text(log, lines);
  const Summary torn = replayed({log}, two_policies());
  EXPECT_EQ(torn.input.torn, 1U);
  EXPECT_THAT(to_text(torn, 5), HasSubstr("a.log:397: the line has no end"));
}

TEST(Seqs, AreRangesInAnyOrder) {
  std::mt19937 random(20261129);
  for (int round = 0; round < 200; ++round) {
    SeqRanges seqs;
    std::set<std::uint64_t> plain;
    std::uint64_t next = 1 + random() % 20;
    for (int i = 0; i < 60; ++i) {
      next = random() % 3 == 0 ? 1 + random() % 40 : next + 1;
      EXPECT_EQ(seqs.add(next), plain.insert(next).second);
    }
    std::set<std::uint64_t> back;
    std::uint64_t before = 0;
    for (const auto& [first, last] : seqs.ranges()) {
      EXPECT_TRUE(before == 0 || first > before + 1) << "ranges that touch are one";
      for (std::uint64_t seq = first; seq <= last; ++seq) back.insert(seq);
      before = last;
    }
    ASSERT_EQ(back, plain) << "round " << round;
    EXPECT_EQ(seqs.missing(), *plain.rbegin() - *plain.begin() + 1 - plain.size());
  }
}

TEST(Progress, SaysHowFarHowFastAndHowLongStill) {
  using std::chrono::duration;
  EXPECT_EQ(progress_line(50'000'000, 200'000'000, duration<double>(0.5)),
            "[#######.......................]  25 %, 50.0 MB, 100.0 MB/s, 0:02 left");
  EXPECT_EQ(progress_line(50'000'000, 0, duration<double>(0.5)), "50.0 MB, 100.0 MB/s");
  EXPECT_EQ(progress_line(0, 10, duration<double>(0)),
            "[..............................]   0 %, 0.0 MB, 0.0 MB/s");
}

}  // namespace
}  // namespace lilith::replay
