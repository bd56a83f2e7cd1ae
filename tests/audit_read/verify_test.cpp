// Every way to tamper with a log, and what `lilith verify` says of it: exactly which kind, line and
// seq, and nothing else.

#include "audit/read/verify.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/json/reader.hpp"
#include "audit/log.hpp"
#include "audit/read/chain_check.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <random>

namespace lilith::audit {
namespace {

using test::ChainWriter;
using test::joined;
using test::TempDir;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

using Lines = std::vector<std::string>;

// "kind line/seq" for each finding, "; " between.
std::string brief(const VerifyReport& report) {
  std::string out;
  for (const Finding& finding : report.findings) {
    if (!out.empty()) out += "; ";
    out += std::string(name(finding.kind)) + " " + std::to_string(finding.line) + "/" +
           std::to_string(finding.seq);
  }
  return out;
}

VerifyReport verify_text(const std::string& text, const VerifyOptions& options = {}) {
  const TempDir directory;
  write_text(directory.file("a.log"), text);
  const auto report = verify({directory.file("a.log")}, options);
  EXPECT_TRUE(report) << report.error().message;
  return report ? *report : VerifyReport{};
}

void replace_in(std::string& text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from << " is not in " << text;
  text.replace(at, from.size(), to);
}

// The line's chain member of this name with its first character changed.
void corrupt_member(std::string& line, const std::string& member) {
  const std::string key = "\"" + member + "\":\"";
  const std::size_t at = line.rfind(key);
  ASSERT_NE(at, std::string::npos) << key << " is not in " << line;
  char& c = line[at + key.size()];
  c = c == '0' ? '1' : '0';
}

struct Attack {
  std::string name;
  std::function<void(Lines&)> change;  // of the lines of a whole log with seq 1 to 20
  std::string expected;
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

void move_line(Lines& lines, std::size_t from, std::size_t to) {
  const std::string line = lines[from];
  lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(from));
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(to), line);
}
void erase_lines(Lines& lines, std::size_t from, std::size_t to) {
  lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(from),
              lines.begin() + static_cast<std::ptrdiff_t>(to));
}
// A log that shares the first `common` lines with the one under test and goes on differently.
Lines other_branch(std::size_t common, std::size_t count) {
  ChainWriter chain;
  (void)chain.lines(common);
  Lines out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(chain.line(EventType::kDecision, "other"));
  return out;
}

const std::vector<Attack> kAttacks = {
    {"untouched", [](Lines&) {}, ""},
    {"one_line_deleted", [](Lines& l) { erase_lines(l, 6, 7); }, "missing 7/7"},
    {"range_deleted", [](Lines& l) { erase_lines(l, 4, 14); }, "missing 5/5"},
    {"two_ranges_deleted", [](Lines& l) { erase_lines(l, 14, 16), erase_lines(l, 4, 6); },
     "missing 5/5; missing 13/15"},
    {"tail_cut_is_not_visible_in_the_chain", [](Lines& l) { erase_lines(l, 15, 20); }, ""},
    {"head_cut_is_allowed_when_older_files_may_be_gone", [](Lines& l) { erase_lines(l, 0, 5); },
     ""},
    {"command_edited", [](Lines& l) { replace_in(l[6], "git status", "git statuS"); },
     "changed 7/7"},
    {"first_line_edited", [](Lines& l) { replace_in(l[0], "git status", "git statuS"); },
     "changed 1/1"},
    {"last_line_edited", [](Lines& l) { replace_in(l[19], "git status", "git statuS"); },
     "changed 20/20"},
    {"three_lines_edited",
     [](Lines& l) {
       for (const std::size_t i : {6U, 7U, 12U}) replace_in(l[i], "git status", "rm -rf / x");
     },
     "changed 7/7; changed 8/8; changed 13/13"},
    {"hash_edited", [](Lines& l) { corrupt_member(l[6], "hash"); }, "changed 7/7"},
    {"prev_edited", [](Lines& l) { corrupt_member(l[6], "prev"); }, "changed 7/7"},
    {"chain_id_edited", [](Lines& l) { corrupt_member(l[6], "id"); }, "changed 7/7"},
    {"seq_edited_forwards", [](Lines& l) { replace_in(l[6], "\"seq\":\"7\"", "\"seq\":\"9\""); },
     "changed 7/9"},
    {"seq_edited_backwards", [](Lines& l) { replace_in(l[6], "\"seq\":\"7\"", "\"seq\":\"3\""); },
     "changed 7/3"},
    {"line_replaced_by_garbage", [](Lines& l) { l[6] = "garbage"; }, "unreadable 7/0"},
    {"line_emptied", [](Lines& l) { l[6].clear(); }, "unreadable 7/0"},
    {"garbage_put_in", [](Lines& l) { l.insert(l.begin() + 6, "garbage"); }, "unreadable 7/0"},
    {"one_deleted_beside_one_edited",
     [](Lines& l) {
       replace_in(l[7], "git status", "git statuS");
       erase_lines(l, 6, 7);
     },
     "changed 7/8; missing 8/7"},
    {"three_deleted_and_one_made_garbage",
     [](Lines& l) {
       l[6] = "garbage";
       erase_lines(l, 7, 10);
     },
     "unreadable 7/0; missing 8/7"},
    {"neighbours_swapped", [](Lines& l) { std::swap(l[6], l[7]); }, "reordered 8/7"},
    {"first_two_swapped", [](Lines& l) { std::swap(l[0], l[1]); }, "reordered 2/1"},
    {"last_two_swapped", [](Lines& l) { std::swap(l[18], l[19]); }, "reordered 20/19"},
    {"far_lines_swapped", [](Lines& l) { std::swap(l[3], l[15]); },
     "reordered 5/5; reordered 16/4"},
    {"line_moved_down", [](Lines& l) { move_line(l, 4, 15); }, "reordered 16/5"},
    {"line_moved_up", [](Lines& l) { move_line(l, 15, 4); }, "reordered 6/5"},
    {"line_repeated", [](Lines& l) { l.insert(l.begin() + 6, l[5]); }, "duplicated 7/6"},
    {"line_repeated_later", [](Lines& l) { l.push_back(l[5]); }, "duplicated 21/6"},
    {"line_repeated_twice", [](Lines& l) { l.insert(l.end(), {l[5], l[5]}); },
     "duplicated 21/6; duplicated 22/6"},
    {"old_part_replayed",
     [](Lines& l) {
       const Lines old(l.begin(), l.begin() + 10);
       l.insert(l.end(), old.begin(), old.end());
     },
     "duplicated 21/1"},
    {"moved_and_one_deleted",
     [](Lines& l) {
       move_line(l, 4, 15);
       erase_lines(l, 9, 10);
     },
     "missing 10/11; reordered 15/5"},
    {"second_branch_behind",
     [](Lines& l) {
       const Lines branch = other_branch(10, 5);
       l.insert(l.end(), branch.begin(), branch.end());
     },
     "forked 21/11"},
    {"second_branch_between",
     [](Lines& l) {
       const Lines branch = other_branch(10, 10);
       for (std::size_t i = 0; i < 10; ++i)
         l.insert(l.begin() + static_cast<std::ptrdiff_t>(11 + 2 * i), branch[i]);
     },
     "forked 12/11"},
    {"line_replaced_by_one_with_a_proper_hash",
     [](Lines& l) { l[10] = other_branch(10, 1).front(); }, "forked 12/12"},
    {"deleted_line_given_back_by_a_forged_one",
     [](Lines& l) {
       erase_lines(l, 10, 11);
       l.push_back(other_branch(10, 1).front());
     },
     "missing 11/11; forked 20/11"},
};

class VerifyAttack : public testing::TestWithParam<Attack> {};
TEST_P(VerifyAttack, IsNamedExactly) {
  Lines lines = ChainWriter().lines(20);
  GetParam().change(lines);
  const VerifyReport report = verify_text(joined(lines));
  EXPECT_EQ(brief(report), GetParam().expected) << to_text(report);
  EXPECT_EQ(report.findings_total, report.findings.size());
  EXPECT_EQ(report.lines, lines.size());
  EXPECT_EQ(report.bytes, joined(lines).size());
  EXPECT_EQ(report.intact(), GetParam().expected.empty());
  EXPECT_EQ(exit_code(report), GetParam().expected.empty() ? 0 : 1);
}
INSTANTIATE_TEST_SUITE_P(Attacks, VerifyAttack, testing::ValuesIn(kAttacks),
                         [](const auto& tested) { return tested.param.name; });

TEST(Verify, MessagesNameTheWholeRange) {
  Lines lines = ChainWriter().lines(20);
  erase_lines(lines, 4, 14);
  const auto missing = verify_text(joined(lines));
  EXPECT_EQ(missing.findings.at(0).message, "seq 5 to 14 are missing before this line");
  lines = ChainWriter().lines(20);
  const Lines old(lines.begin() + 2, lines.begin() + 12);
  lines.insert(lines.end(), old.begin(), old.end());
  const auto repeated = verify_text(joined(lines));
  EXPECT_EQ(repeated.findings.at(0).message, "lines 21 to 30 repeat seq 3 to 12");
}

TEST(Verify, TheStartMayBeRequired) {
  Lines lines = ChainWriter().lines(20);
  erase_lines(lines, 0, 5);
  VerifyOptions options;
  options.start_may_be_missing = false;
  EXPECT_EQ(brief(verify_text(joined(lines), options)), "missing 1/1");
}

TEST(Verify, ReportsTheHeadByWhichACutTailCanBeNoticed) {
  const Lines lines = ChainWriter("chain-a").lines(3);
  const VerifyReport report = verify_text(joined(lines));
  ASSERT_EQ(report.chains.size(), 1U);
  EXPECT_EQ(report.chains[0].id, "chain-a");
  EXPECT_EQ(report.chains[0].first_seq, 1U);
  EXPECT_EQ(report.chains[0].last_seq, 3U);
  EXPECT_EQ(report.chains[0].events, 3U);
  EXPECT_EQ(report.chains[0].head, std::string(chain_fields(lines[2])->hash));
  EXPECT_THAT(to_text(report), HasSubstr("only a head kept elsewhere shows"));
}

TEST(Verify, AnEmptyLogIsIntact) { EXPECT_TRUE(verify_text("").intact()); }

TEST(Verify, ATornTailIsOneFinding) {
  const Lines lines = ChainWriter().lines(3);
  const std::string whole = joined(lines);
  for (const std::size_t cut : {1U, 20U, 150U}) {
    const auto report = verify_text(whole.substr(0, whole.size() - cut));
    ASSERT_EQ(report.findings_total, 1U) << cut << "\n" << to_text(report);
    EXPECT_EQ(report.findings[0].kind, FindingKind::kTorn);
    EXPECT_EQ(report.findings[0].line, 3U);
  }
}

TEST(Verify, AFragmentIsExplainedByTheSealBehindIt) {
  ChainWriter chain;
  Lines lines = chain.lines(3);
  lines.push_back(chain.fork().line().substr(0, 100));
  lines.push_back(
      chain.line(EventType::kLogSealed, "git status", {{"torn_sha256", sha256_hex(lines[3])}}));
  lines.push_back(chain.line());
  EXPECT_EQ(brief(verify_text(joined(lines))), "");
  // Only the line right before the seal, only the bytes that the seal names, and only by a seal
  // that is itself whole.
  Lines two = lines;
  two.insert(two.begin() + 3, "another fragment");
  EXPECT_EQ(brief(verify_text(joined(two))), "unreadable 4/0");
  Lines other = lines;
  other[3] = "other bytes";
  EXPECT_EQ(brief(verify_text(joined(other))), "unreadable 4/0");
  Lines edited = lines;
  replace_in(edited[4], "git status", "git statuS");
  EXPECT_EQ(brief(verify_text(joined(edited))), "unreadable 4/0; changed 5/4");
  lines.erase(lines.begin() + 4);
  EXPECT_EQ(brief(verify_text(joined(lines))), "unreadable 4/0");
}

TEST(Verify, ALineAboveTheLimitIsUnreadable) {
  Lines lines = ChainWriter().lines(3);
  lines.insert(lines.begin() + 1, std::string(limits::kReaderLineBytesMax + 1, 'x'));
  EXPECT_EQ(brief(verify_text(joined(lines))), "unreadable 2/0");
}

TEST(Verify, ManyHostsInOneFileAreManyChains) {
  std::vector<ChainWriter> hosts;
  for (int i = 0; i < 20; ++i)
    hosts.emplace_back("chain-" + std::to_string(i), "ws-" + std::to_string(i));
  std::mt19937 random(7);
  Lines lines;
  for (int i = 0; i < 500; ++i) lines.push_back(hosts[random() % hosts.size()].line());
  EXPECT_EQ(brief(verify_text(joined(lines))), "");
  // A fault in one is not held against the others.
  std::string chain(chain_fields(lines[250])->id);
  const std::uint64_t seq = chain_fields(lines[250])->seq;
  erase_lines(lines, 250, 251);
  const auto report = verify_text(joined(lines));
  ASSERT_EQ(report.findings_total, 1U) << to_text(report);
  EXPECT_EQ(report.findings[0].kind, FindingKind::kMissing);
  EXPECT_EQ(report.findings[0].chain_id, chain);
  EXPECT_EQ(report.findings[0].seq, seq);
}

TEST(Verify, ASecondChainInOneLogIsARestart) {
  Lines lines = ChainWriter("chain-a").lines(5);
  const Lines second = ChainWriter("chain-b").lines(5);
  lines.insert(lines.end(), second.begin(), second.end());
  const auto report = verify_text(joined(lines));
  EXPECT_EQ(brief(report), "restarted 6/1");
  EXPECT_THAT(report.findings[0].message, HasSubstr("while chain chain-a was at seq 5"));
}

TEST(Verify, TwoInterleavedLogsOfOneHostAreNotARestart) {
  ChainWriter one("chain-a"), two("chain-b");
  EXPECT_EQ(brief(verify_text(joined({one.line(), two.line(), one.line(), two.line()}))), "");
}

TEST(Verify, TwoLogsOfOneHostAreNotARestart) {
  const TempDir directory;
  write_text(directory.file("a.log"), joined(ChainWriter("chain-a").lines(5)));
  write_text(directory.file("b.log"), joined(ChainWriter("chain-b").lines(5)));
  const auto report = verify({directory.path()});
  ASSERT_TRUE(report);
  EXPECT_EQ(brief(*report), "");
  EXPECT_EQ(report->chains.size(), 2U);
}

TEST(Verify, ALogPathStandsForItsRotatedFiles) {
  const TempDir directory;
  ChainWriter chain;
  const std::string path = directory.file("a.log");
  write_text(path + ".00000000000000000001.zst", test::zstd_compressed(joined(chain.lines(10))));
  write_text(path + ".00000000000000000011", joined(chain.lines(10)));
  write_text(path, joined(chain.lines(10)));
  write_text(path + ".lock", "state of the appender");
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{path},
                                             {directory.path()},
                                             {path, path + ".00000000000000000001.zst",
                                              path + ".00000000000000000011", path + ".lock"}}) {
    const auto report = verify(arguments);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(brief(*report), "");
    EXPECT_EQ(report->chains.at(0).events, 30U);
  }
  // A finding in a rotated file names that file.
  fs::remove(path + ".00000000000000000011");
  const auto report = verify({path});
  ASSERT_TRUE(report);
  EXPECT_EQ(brief(*report), "missing 1/11");
  EXPECT_EQ(report->findings[0].file, path);
}

TEST(Verify, WhatCannotBeReadIsNotCalledMissing) {
  const TempDir directory;
  ChainWriter chain;
  const std::string path = directory.file("a.log");
  const std::string packed = test::zstd_compressed(joined(chain.lines(10)));
  write_text(path + ".00000000000000000001.zst", packed.substr(0, packed.size() / 2));
  write_text(path + ".00000000000000000011", joined(chain.lines(10)));
  const auto damaged = verify({path});
  ASSERT_TRUE(damaged);
  EXPECT_EQ(brief(*damaged), "");
  EXPECT_TRUE(damaged->incomplete_input);
  EXPECT_FALSE(damaged->intact());
  EXPECT_EQ(exit_code(*damaged), 3);
  EXPECT_THAT(to_text(*damaged), HasSubstr("ends in the middle of a frame"));
  EXPECT_FALSE(verify({directory.file("absent.log")}));
  EXPECT_FALSE(verify({directory.file("a.log"), directory.file("absent.log")}));
}

TEST(Verify, CountsAllFindingsAndKeepsTheFirst) {
  Lines lines = ChainWriter().lines(100);
  for (std::size_t i = 10; i < 90; i += 2) replace_in(lines[i], "git status", "git statuS");
  VerifyOptions options;
  options.findings_max = 5;
  const auto report = verify_text(joined(lines), options);
  EXPECT_EQ(report.findings.size(), 5U);
  EXPECT_EQ(report.findings_total, 40U);
  EXPECT_EQ(report.by_kind.at(static_cast<std::size_t>(FindingKind::kChanged)), 40U);
  EXPECT_THAT(to_text(report), HasSubstr("... and 35 more findings"));
}

TEST(Verify, JsonSaysTheSame) {
  Lines lines = ChainWriter().lines(20);
  erase_lines(lines, 6, 7);
  json::Document document;
  const std::string text = to_json(verify_text(joined(lines)));
  const auto root = document.parse(text);
  ASSERT_TRUE(root) << text;
  EXPECT_EQ(root->find("intact")->boolean(), false);
  EXPECT_EQ(root->find("findings_total")->integer(), 1);
  EXPECT_EQ(root->find("kinds")->find("missing")->integer(), 1);
  int count = 0;
  root->find("findings")->each_element([&](json::View finding) {
    ++count;
    EXPECT_EQ(finding.text("kind"), "missing");
    EXPECT_EQ(finding.find("seq")->integer(), 7);
    EXPECT_EQ(finding.find("line")->integer(), 7);
    return true;
  });
  EXPECT_EQ(count, 1);
}

TEST(Verify, OutsideTextCannotDriveTheTerminal) {
  Lines lines = ChainWriter("chain-\x1b[31m").lines(2);
  EXPECT_EQ(to_text(verify_text(joined(lines))).find('\x1b'), std::string::npos);
}

// The appender's own files, and what happens to them in life.
class VerifyLog : public testing::Test {
 protected:
  void append(int count) {
    auto log = open_log(options());
    ASSERT_TRUE(log) << log.error().message;
    for (int i = 0; i < count; ++i) {
      Event event;
      event.decision = Verdict::kAllow;
      event.action = Action::kAllowed;
      event.process_key = "ws-42/1/1";
      event.host = "ws-42";
      event.reason = "number " + std::to_string(i);
      const auto appended = (*log)->append(event);
      ASSERT_TRUE(appended) << appended.error().message;
    }
  }
  LogOptions options() {
    LogOptions out;
    out.path = path_;
    out.host = "ws-42";
    out.rotate_bytes = rotate_bytes_;
    out.rotate_interval_min = std::chrono::seconds(0);
    return out;
  }
  VerifyReport check() {
    const auto report = verify({path_});
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : VerifyReport{};
  }
  std::string kinds() {
    std::string out;
    for (const Finding& finding : check().findings) out += std::string(name(finding.kind)) + " ";
    return out;
  }

  TempDir directory_;
  std::string path_ = directory_.file("agent-audit.log");
  std::uint64_t rotate_bytes_ = 0;
};

TEST_F(VerifyLog, IsIntactOverManyRotationsAndRuns) {
  rotate_bytes_ = std::uint64_t{24} * 1024;
  for (int i = 0; i < 5; ++i) append(40);
  const VerifyReport report = check();
  EXPECT_EQ(report.findings_total, 0U) << to_text(report);
  ASSERT_EQ(report.chains.size(), 1U);
  EXPECT_GE(report.chains[0].events, 200U);
  EXPECT_EQ(report.chains[0].events, report.lines);
  const auto files = rotated_files(path_);
  ASSERT_TRUE(files);
  ASSERT_GE(files->size(), 3U);
  fs::remove(files->at(1));
  EXPECT_EQ(kinds(), "missing ");
}

TEST_F(VerifyLog, ATornWriteIsAFindingUntilItIsSealed) {
  append(3);
  const std::string whole = test::read_text(path_);
  for (const std::size_t cut : {2U, 10U, 50U, 200U}) {
    write_text(path_, whole);
    fs::remove(path_ + ".lock");
    fs::resize_file(path_, whole.size() - cut);
    EXPECT_EQ(kinds(), "torn ") << cut;
    append(2);
    EXPECT_EQ(kinds(), "") << cut << "\n" << to_text(check());
  }
}

TEST_F(VerifyLog, GoesOnInOneChainWhenAFileIsRotatedRightAfterItsFirstEvent) {
  rotate_bytes_ = 1024;
  for (int i = 0; i < 3; ++i) append(2);
  EXPECT_EQ(kinds(), "") << to_text(check());
}

TEST_F(VerifyLog, RemovingTheLogIsNoticed) {
  append(3);
  fs::remove(path_);
  append(3);
  EXPECT_EQ(kinds(), "missing ");
}

TEST_F(VerifyLog, CuttingTheTailIsNoticedAfterTheNextEvent) {
  append(5);
  const Lines lines = test::lines_of(test::read_text(path_));
  write_text(path_, joined(Lines(lines.begin(), lines.begin() + 3)));
  EXPECT_EQ(kinds(), "");
  append(1);
  EXPECT_EQ(kinds(), "missing ");
}

TEST_F(VerifyLog, StartingOverWithoutTheLockFileIsNoticedWhenTheOldLogIsKept) {
  append(3);
  const std::string old = test::read_text(path_);
  fs::remove(path_);
  fs::remove(path_ + ".lock");
  append(3);
  write_text(path_, old + test::read_text(path_));
  EXPECT_EQ(kinds(), "restarted ");
}

// Whatever single byte is changed, in whatever way, is noticed, and as one or two findings.
TEST(VerifyProperty, AnyChangedByteIsNoticed) {
  const std::uint64_t seed = 20261124;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const std::string whole = joined(ChainWriter().lines(4));
  const auto findings = [](const std::string& text) {
    ChainCheck check({});
    check.begin_file("a.log", "a.log");
    std::uint64_t number = 0;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t lf = text.find('\n', at);
      const std::string_view line = std::string_view(text).substr(at, lf - at);
      if (lf == std::string::npos) {
        check.torn_line(++number, line);
        break;
      }
      check.whole_line(++number, line);
      at = lf + 1;
    }
    VerifyReport report;
    check.finish(report);
    return report;
  };
  ASSERT_EQ(findings(whole).findings_total, 0U);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    do {
      changed[at] = static_cast<char>(random());
    } while (changed[at] == whole[at]);
    const auto report = findings(changed);
    ASSERT_GE(report.findings_total, 1U)
        << "byte " << at << " became " << static_cast<int>(changed[at]);
    ASSERT_LE(report.findings_total, 3U) << "byte " << at << "\n" << to_text(report);
  }
}

}  // namespace
}  // namespace lilith::audit
