// What arrived at a SIEM, from many hosts in any order with repeats: exactly what is missing,
// altered or forked is named, and nothing else.

#include "audit/read/arrival.hpp"

#include "audit/base/limits.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "audit/read/arrival_check.hpp"
#include "audit/read/withheld.hpp"
#include "tests/audit_read/arrivals.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <random>
#include <set>

namespace lilith::audit {
namespace {

using test::brief;
using test::ChainWriter;
using test::check_lines;
using test::joined;
using test::ManualClock;
using test::TempDir;
using test::write_text;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Lines = std::vector<std::string>;

std::string quoted(const std::string& text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

void alter(std::string& line) {
  const std::size_t at = line.find("git status");
  ASSERT_NE(at, std::string::npos);
  line[at] = 'G';
}

// ---- forms

struct FormCase {
  const char* name;
  LineForm form;
  std::function<std::string(const std::string&)> wrap;
};
void PrintTo(const FormCase& one, std::ostream* out) { *out << one.name; }

std::string alert(const std::string& full_log, const std::string& more = "") {
  return R"({"timestamp":"2026-11-24T00:20:42.000+0000","rule":{"level":10,"id":"100800"},)" +
         more +
         R"("agent":{"id":"001","name":"ws-42"},"manager":{"name":"m"},"id":"1.2","full_log":)" +
         quoted(full_log) +
         R"(,"decoder":{"name":"json"},"data":{"action":"denied","lilith":{"schema":"1"}},"location":"x"})";
}

const std::vector<FormCase> kForms = {
    {"Ndjson", LineForm::kNdjson, [](const std::string& l) { return l; }},
    {"CarriageReturn", LineForm::kNdjson, [](const std::string& l) { return l + "\r"; }},
    {"Rfc3164InAFile", LineForm::kSyslog,
     [](const std::string& l) { return "Nov 24 00:20:42 ws-42 lilith[4711]: " + l; }},
    {"Rfc5424", LineForm::kSyslog,
     [](const std::string& l) {
       return "<108>1 2026-11-24T00:20:42.831204Z ws-42 lilith 4711 decision - " + l;
     }},
    {"RsyslogFileFormat", LineForm::kSyslog,
     [](const std::string& l) {
       return "2026-11-24T00:20:42.831204+00:00 ws-42 lilith[4711]: " + l;
     }},
    {"WazuhArchive", LineForm::kWazuh, [](const std::string& l) { return alert(l); }},
    {"WazuhArchiveBySyslog", LineForm::kWazuh,
     [](const std::string& l) { return alert("Nov 24 00:20:42 ws-42 " + l); }},
    {"WazuhAlertWithEarlierEvents", LineForm::kWazuh,
     [](const std::string& l) {
       ChainWriter other("other");
       return alert(l, "\"previous_output\":" + quoted(other.line() + "\n" + other.line()) + ",");
     }},
    {"ElasticHit", LineForm::kElastic,
     [](const std::string& l) {
       return R"({"_index":"lilith","_id":"1","_score":1.0,"_source":)" + l + R"(,"sort":[1]})";
     }},
    {"ElasticHitOfAWazuhIndex", LineForm::kElastic,
     [](const std::string& l) {
       return R"({"_index":"wazuh-archives","_source":)" + alert(l) + "}";
     }},
    {"MessageOfAForwarder", LineForm::kJson,
     [](const std::string& l) {
       return R"({"@timestamp":"2026-11-24T00:20:42Z","host":{"name":"relay"},"message":)" +
              quoted(l) + "}";
     }},
    {"SplunkResult", LineForm::kJson,
     [](const std::string& l) {
       return R"({"preview":false,"result":{"_raw":)" + quoted(l) + "}}";
     }},
};

class ArrivalForms : public testing::TestWithParam<FormCase> {};
INSTANTIATE_TEST_SUITE_P(Rows, ArrivalForms, testing::ValuesIn(kForms),
                         [](const auto& one) { return one.param.name; });

TEST_P(ArrivalForms, KeepsTheBytesThatWereHashed) {
  ChainWriter chain;
  Lines lines = chain.lines(3);
  lines.push_back(
      chain.line(EventType::kDecision, "echo \"\\u00e9\\\\\" \xc3\xa9 \x01\x7f '{}' \t"));
  for (std::string& line : lines) line = GetParam().wrap(line);
  const auto report = check_lines(lines);
  EXPECT_EQ(brief(report), "");
  EXPECT_EQ(report.events, 4U);
  EXPECT_EQ(report.linked, 0U);
  EXPECT_EQ(report.by_form[static_cast<std::size_t>(GetParam().form)], 4U);
  EXPECT_EQ(exit_code(report), 0);
}

TEST_P(ArrivalForms, ShowsAnAlteredEventAndItsCutCopy) {
  ChainWriter chain;
  Lines lines = chain.lines(4);
  alter(lines[2]);
  Lines wrapped;
  for (const std::string& line : lines) wrapped.push_back(GetParam().wrap(line));
  EXPECT_EQ(brief(check_lines(wrapped)), "altered chain-a 3-3");
  std::string& cut = wrapped[1];
  cut.resize(cut.find("lilith") + 400);  // within the event, as a receiver with a limit does
  EXPECT_EQ(brief(check_lines(wrapped)), "missing chain-a 2-2; altered chain-a 3-3; unreadable");
}

TEST_P(ArrivalForms, CanBeDemanded) {
  ChainWriter chain;
  const Lines lines = {GetParam().wrap(chain.line())};
  for (const LineForm form : {LineForm::kNdjson, LineForm::kSyslog, LineForm::kWazuh,
                              LineForm::kElastic, LineForm::kJson}) {
    ArrivalOptions options;
    options.form = form;
    EXPECT_EQ(brief(check_lines(lines, options)), form == GetParam().form ? "" : "unreadable");
  }
}

TEST(Arrival, TakesLabelsOffThatACollectorPutBehindTheEvent) {
  ChainWriter chain;
  Lines lines = chain.lines(2);
  for (std::string& line : lines) {
    line.pop_back();
    line += R"(,"@source":"lilith"})";
  }
  auto report = check_lines(lines);
  EXPECT_EQ(brief(report), "");
  EXPECT_EQ(report.added_to, 2U);
  EXPECT_THAT(to_text(report), HasSubstr("a collector added members to 2 events"));
  alter(lines[1]);
  EXPECT_EQ(brief(check_lines(lines)), "altered chain-a 2-2");
}

// An event of which only the chain members arrived: Wazuh's data without full_log, ECS, OCSF.
std::string taken_apart(const std::string& line, const std::string& how) {
  const auto event = decode(line).value();
  const std::string seq = std::to_string(event.seq);
  if (how == "wazuh") {
    return R"({"rule":{"id":"100800"},"data":{"action":"denied","lilith":{"schema":"1","event":"decision","host":")" +
           event.host + R"(","seq":")" + seq + R"(","time":")" + format_time(event.time) +
           R"("},"chain":{"id":")" + event.chain_id + R"(","prev":")" + event.chain_prev +
           R"(","hash":")" + event.chain_hash + R"("}}})";
  }
  if (how == "ecs") {
    return R"({"_source":{"@timestamp":")" + format_time(event.time) +
           R"(","event":{"action":"decision","module":"lilith","sequence":)" + seq +
           R"(,"hash":")" + event.chain_hash + R"("},"host":{"name":")" + event.host +
           R"("},"labels":{"lilith_chain_id":")" + event.chain_id + R"(","lilith_chain_prev":")" +
           event.chain_prev + R"("}}})";
  }
  return R"({"time":1,"metadata":{"product":{"name":"lilith"},"sequence":)" + seq +
         R"(,"event_code":"decision","original_time":")" + format_time(event.time) +
         R"("},"device":{"hostname":")" + event.host + R"("},"attestation_list":[{"chain_uid":")" +
         event.chain_id + R"(","fingerprint":{"value":")" + event.chain_hash +
         R"("},"prev_event":{"fingerprint":{"value":")" + event.chain_prev + R"("}}}]})";
}

TEST(Arrival, SaysWhatCannotBeCheckedOfEventsThatWereTakenApart) {
  for (const std::string how : {"wazuh", "ecs", "ocsf"}) {
    ChainWriter chain;
    const Lines written = chain.lines(6);
    Lines lines;
    for (const std::string& line : written) lines.push_back(taken_apart(line, how));
    const auto whole = check_lines(lines);
    EXPECT_EQ(brief(whole), "") << how;
    EXPECT_EQ(whole.linked, 6U) << how;
    EXPECT_THAT(to_text(whole), HasSubstr("their content can't be")) << how;
    lines.erase(lines.begin() + 3);
    EXPECT_EQ(brief(check_lines(lines)), "missing chain-a 4-4") << how;
    // Another event under the number of one of them breaks the links.
    ChainWriter other;
    lines.insert(lines.begin() + 3,
                 taken_apart((void(other.lines(3)), other.line(EventType::kDecision, "x")), how));
    EXPECT_EQ(brief(check_lines(lines)), "forked chain-a 5-5") << how;
  }
}

TEST(Arrival, LeavesLinesOfOthersAlone) {
  ChainWriter chain;
  Lines lines = chain.lines(2);
  lines.insert(lines.begin(), {"", "Nov 24 00:20:42 ws-42 sshd[1]: hello", "{}", "[1,2]",
                               R"({"full_log":"sshd: x","data":{"srcuser":"lilith"}})",
                               "Nov 24 00:20:42 ws-42 lilith-ship: started"});
  const auto report = check_lines(lines);
  EXPECT_EQ(brief(report), "");
  EXPECT_EQ(report.foreign, 6U);
}

// ---- attacks on what arrived, against lines 1 to 20 of a chain, in any order

struct Attack {
  std::string name;
  std::function<void(Lines&)> change;
  std::string expected;
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

Lines branch(std::size_t common, std::size_t count) {
  ChainWriter chain;
  (void)chain.lines(common);
  Lines out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(chain.line(EventType::kDecision, "other"));
  return out;
}
void add(Lines& lines, const Lines& more) { lines.insert(lines.end(), more.begin(), more.end()); }
void erase(Lines& lines, std::size_t from, std::size_t to) {
  lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(from),
              lines.begin() + static_cast<std::ptrdiff_t>(to));
}

const std::vector<Attack> kAttacks = {
    {"nothing", [](Lines&) {}, ""},
    {"everything_twice", [](Lines& l) { add(l, Lines(l)); }, ""},
    {"one_lost", [](Lines& l) { erase(l, 6, 7); }, "missing chain-a 7-7"},
    {"two_ranges_lost", [](Lines& l) { erase(l, 14, 16), erase(l, 4, 9); },
     "missing chain-a 5-9; missing chain-a 15-16"},
    {"tail_lost_is_not_visible", [](Lines& l) { erase(l, 15, 20); }, ""},
    {"head_lost_is_named_only_from_the_start", [](Lines& l) { erase(l, 0, 5); }, ""},
    {"one_altered", [](Lines& l) { alter(l[6]); }, "altered chain-a 7-7"},
    {"a_range_altered", [](Lines& l) { alter(l[6]), alter(l[7]), alter(l[8]); },
     "altered chain-a 7-9"},
    {"altered_between_lost", [](Lines& l) { alter(l[6]), erase(l, 7, 9), erase(l, 4, 6); },
     "missing chain-a 5-6; missing chain-a 8-9; altered chain-a 7-7"},
    {"an_altered_copy_beside_the_whole_one",
     [](Lines& l) {
       l.push_back(l[6]);
       alter(l.back());
     },
     "altered chain-a 7-7"},
    {"a_fork_that_goes_on", [](Lines& l) { add(l, branch(10, 8)); }, "forked chain-a 11-18"},
    {"a_fork_whose_other_side_was_withheld",
     [](Lines& l) {
       erase(l, 10, 14);
       add(l, branch(10, 4));
     },
     "forked chain-a 15-15"},
    {"a_fork_beyond_the_end", [](Lines& l) { add(l, branch(10, 14)); }, "forked chain-a 11-20"},
    {"a_second_chain", [](Lines& l) { add(l, ChainWriter("chain-b").lines(3)); }, ""},
    {"a_chain_that_begins_anew_under_its_name",
     [](Lines& l) { erase(l, 3, 20), add(l, branch(0, 3)); }, "forked chain-a 1-3"},
};

class ArrivalAttacks : public testing::TestWithParam<Attack> {};
INSTANTIATE_TEST_SUITE_P(Rows, ArrivalAttacks, testing::ValuesIn(kAttacks),
                         [](const auto& one) { return one.param.name; });

TEST_P(ArrivalAttacks, IsFoundInEveryOrder) {
  Lines lines = ChainWriter().lines(20);
  GetParam().change(lines);
  EXPECT_EQ(brief(check_lines(lines)), GetParam().expected);
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::shuffle(lines.begin(), lines.end(), random);
    const auto report = check_lines(lines);
    ASSERT_EQ(brief(report), GetParam().expected) << "order " << i;
    ASSERT_EQ(report.repeats_not_compared, 0U);
  }
}

// Many hosts at once: what was taken away at random is what is reported.
TEST(Arrival, NamesExactlyWhatIsMissingOfManyHostsInAnyOrder) {
  std::mt19937 random(11);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  for (int round = 0; round < 20; ++round) {
    Lines lines;
    std::map<std::string, std::set<std::uint64_t>> gone;
    for (std::size_t host = 0; host < 8; ++host) {
      const std::string id = "chain-" + std::to_string(host);
      ChainWriter chain(id, "ws-" + std::to_string(host));
      const Lines all = chain.lines(40 + below(100));
      for (std::size_t i = 0; i < all.size(); ++i) {
        const bool inside = i > 0 && i + 1 < all.size();
        if (inside && below(10) == 0) {
          gone[id].insert(i + 1);
        } else {
          for (std::size_t copies = 1 + (below(5) == 0 ? below(3) : 0); copies > 0; --copies)
            lines.push_back(all[i]);
        }
      }
    }
    std::shuffle(lines.begin(), lines.end(), random);
    std::map<std::string, std::set<std::uint64_t>> reported;
    const auto report = check_lines(lines);
    for (const ArrivalFinding& finding : report.findings) {
      ASSERT_EQ(finding.fault, ArrivalFault::kMissing);
      for (auto seq = finding.first_seq; seq <= finding.last_seq; ++seq)
        reported[finding.chain_id].insert(seq);
    }
    EXPECT_EQ(reported, gone);
    EXPECT_EQ(report.hosts.size(), 8U);
  }
}

// ---- repeats far back

TEST(Arrival, ProvesARunOfOldRepeatsByOneKnownHash) {
  const Lines all = ChainWriter().lines(2000);
  Lines lines = all;
  add(lines, Lines(all.begin() + 500, all.end()));  // as a shipper does after kill -9
  auto report = check_lines(lines);
  EXPECT_EQ(brief(report), "");
  EXPECT_EQ(report.repeats, 1500U);
  EXPECT_EQ(report.repeats_not_compared, 0U);
  // A short run that meets no known hash is said to be unproven.
  lines = all;
  add(lines, Lines(all.begin() + 701, all.begin() + 703));
  report = check_lines(lines);
  EXPECT_EQ(report.repeats_not_compared, 2U);
  EXPECT_THAT(to_text(report), HasSubstr("2 repeats lie too far back to be compared"));
}

TEST(Arrival, FindsAForkFarBackByTheSameHash) {
  Lines lines = ChainWriter().lines(2000);
  add(lines, branch(500, 200));
  const auto report = check_lines(lines);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].fault, ArrivalFault::kForked);
  EXPECT_EQ(report.findings.back().last_seq, 700U);
  EXPECT_LT(report.findings[0].first_seq, 500U + 2000U / limits::kArrivalSparseHashesMax * 4);
}

// ---- hosts, hints, limits

TEST(Arrival, CallsAHostSilentByTheClockItIsGiven) {
  ArrivalOptions options;
  options.silent_after = std::chrono::hours(2);
  options.expected_hosts = {"ws-42", "ws-43"};
  const Lines lines = ChainWriter().lines(1);  // 00:20:42.831204
  EXPECT_EQ(brief(check_lines(lines, options)), "silent ws-43");
  options.silent_after = std::chrono::hours(1);
  EXPECT_EQ(brief(check_lines(lines, options)), "silent ws-42; silent ws-43");
}

TEST(Arrival, SaysWhatTheShipperSaysOfAGap) {
  ChainWriter chain;
  Lines lines = chain.lines(5);
  erase(lines, 2, 4);
  ChainWriter own("own", "ws-42");
  lines.push_back(own.line(EventType::kHeartbeat, "",
                           {{"sink", "soc"}, {"withheld_events", "2"}, {"dead_letters", "0"}}));
  lines.push_back(own.line(EventType::kShipLoss, ""));
  const auto report = check_lines(lines);
  EXPECT_EQ(brief(report), "missing chain-a 3-4");
  EXPECT_THAT(to_text(report), HasSubstr("sink soc withheld, by its route, 2 events"));
  EXPECT_THAT(to_text(report), HasSubstr("1 ship_loss event say what its shipper lost"));
  EXPECT_THAT(to_text(report), HasSubstr("gaps are expected where the input is a part"));
}

// ---- what a route withheld, and what looks like it

using Detail = std::vector<std::pair<std::string, std::string>>;
Detail names(const std::string& chain, const std::string& count, const std::string& seqs) {
  return {{"sink", "soc"}, {"host", "ws-42"}, {"chain", chain}, {"count", count}, {"seqs", seqs}};
}

struct WithheldCase {
  const char* name;
  std::function<void(Lines&, ChainWriter&)> change;  // of 20 events, and the log that names
  std::string expected;
  std::uint64_t withheld;
};
void PrintTo(const WithheldCase& one, std::ostream* out) { *out << one.name; }

// 5 to 8 and 12 did not arrive.
void lose(Lines& l) { erase(l, 11, 12), erase(l, 4, 8); }
std::string record(ChainWriter& own, const Detail& detail) {
  return own.line(EventType::kWithheld, "", detail);
}

const std::vector<WithheldCase> kWithheldCases = {
    {"named",
     [](Lines& l, ChainWriter& own) {
       lose(l), l.push_back(record(own, names("chain-a", "5", "5-8,12")));
     },
     "", 5},
    {"named_by_several_that_overlap_and_by_repeats",
     [](Lines& l, ChainWriter& own) {
       lose(l);
       l.push_back(record(own, names("chain-a", "2", "5-6")));
       l.push_back(record(own, names("chain-a", "3", "6-8")));
       l.push_back(record(own, names("chain-a", "1", "12")));
       l.push_back(record(own, names("chain-a", "4", "5-8")));
       l.push_back(l.back());
     },
     "", 5},
    {"named_and_arrived_all_the_same",
     [](Lines& l, ChainWriter& own) {
       erase(l, 6, 7);
       l.push_back(record(own, names("chain-a", "9", "3-11")));
     },
     "", 1},
    {"one_that_nobody_names",
     [](Lines& l, ChainWriter& own) {
       lose(l), l.push_back(record(own, names("chain-a", "4", "5-7,12")));
     },
     "missing chain-a 8-8", 4},
    {"behind_the_last_that_arrived",
     [](Lines& l, ChainWriter& own) { l.push_back(record(own, names("chain-a", "3", "23-25"))); },
     "missing chain-a 21-22", 3},
    {"of_another_chain",
     [](Lines& l, ChainWriter& own) {
       lose(l), l.push_back(record(own, names("chain-b", "5", "5-8,12")));
     },
     "missing chain-a 5-8; missing chain-a 12-12", 0},
    {"in_a_record_that_was_altered",
     [](Lines& l, ChainWriter& own) {
       lose(l), l.push_back(record(own, names("chain-a", "1", "12-12,")));
       std::string& line = l.back();
       line.replace(line.find("12-12,"), 6, "5-8,12");
     },
     "missing chain-a 5-8; missing chain-a 12-12; altered own 1-1", 0},
    {"in_the_other_side_of_a_fork",
     [](Lines& l, ChainWriter& own) {
       lose(l);
       ChainWriter other = own.fork();
       l.insert(l.begin(), record(own, names("chain-a", "1", "12")));
       l.push_back(record(other, names("chain-a", "4", "5-8")));
     },
     "missing chain-a 5-8; forked own 1-1", 1},
    {"with_another_count_than_the_list_has",
     [](Lines& l, ChainWriter& own) {
       lose(l), l.push_back(record(own, names("chain-a", "5", "5-7,12")));
     },
     "missing chain-a 5-8; missing chain-a 12-12", 0},
    {"a_record_that_was_lost_is_missing_in_its_own_chain",
     [](Lines& l, ChainWriter& own) {
       lose(l), l.push_back(record(own, names("chain-a", "4", "5-8")));
       (void)record(own, names("chain-a", "1", "12"));
       l.push_back(own.line());
     },
     "missing chain-a 12-12; missing own 2-2", 4},
};

class ArrivalWithheld : public testing::TestWithParam<WithheldCase> {};
INSTANTIATE_TEST_SUITE_P(Rows, ArrivalWithheld, testing::ValuesIn(kWithheldCases),
                         [](const auto& one) { return one.param.name; });

TEST_P(ArrivalWithheld, IsCountedAndHidesNothingElse) {
  Lines lines = ChainWriter().lines(20);
  ChainWriter own("own", "ws-42");
  GetParam().change(lines, own);
  std::mt19937 random(7);
  const bool order_matters = std::string(GetParam().name) == "in_the_other_side_of_a_fork";
  for (int i = 0; i < (order_matters ? 1 : 50); ++i) {
    const auto report = check_lines(lines);
    ASSERT_EQ(brief(report), GetParam().expected) << "order " << i;
    ASSERT_EQ(report.withheld, GetParam().withheld) << "order " << i;
    std::shuffle(lines.begin(), lines.end(), random);
  }
}

TEST(Arrival, WhatWasWithheldHasALineOfItsOwnAndIsNoFinding) {
  Lines lines = ChainWriter().lines(20);
  ChainWriter own("own", "ws-42");
  lose(lines), lines.push_back(record(own, names("chain-a", "5", "5-8,12")));
  const auto report = check_lines(lines);
  const std::string text = to_text(report);
  EXPECT_EQ(exit_code(report), 0);
  EXPECT_THAT(text,
              HasSubstr("chain chain-a: complete but for what was withheld, from seq 1 to 20;"));
  EXPECT_THAT(text,
              HasSubstr("    withheld, not missing: 5 events, which sink soc on ws-42 names"));
  EXPECT_THAT(text, HasSubstr("complete but for what was withheld: 16 events of 2 chains"));
  EXPECT_THAT(text, HasSubstr("5 withheld by routes"));
  EXPECT_THAT(to_json(report), HasSubstr(R"("missing":0,"withheld":5,)"));
  EXPECT_THAT(to_prometheus(report),
              HasSubstr("lilith_verify_withheld_events{host=\"ws-42\"} 5\n"));
}

TEST(Withheld, AListIsReadOnlyInTheFormInWhichItIsWritten) {
  for (const char* const good : {"1", "3-7", "3-7,9,12-13", "9223372036854775807"}) {
    const auto seqs = seqs_from_text(good);
    ASSERT_TRUE(seqs.has_value()) << good;
    EXPECT_EQ(seqs_to_text(*seqs), good);
  }
  for (const char* const bad :
       {"", "0", "0-3", "7-3", "3-", "-3", "3,", ",3", "3,3", "3-5,5", "3-5,6", "5,3", "a", "3 ",
        "3-4-5", "9223372036854775808", "99999999999999999999"})
    EXPECT_FALSE(seqs_from_text(bad).has_value()) << bad;
}

// Long lists go into several events, none of which is ever cut.
TEST(Withheld, EventsNameEverySeqOnceAndStayBelowEightKibibytes) {
  Withheld withheld{"soc", "ws-42", "0198b2f4-0000-7000-8000-0000000000c1", {}};
  for (std::uint64_t i = 0; i < 2'000; ++i)
    ASSERT_TRUE(withheld.seqs.add(9'000'000'000'000'000'000 + i * 3, 2'000));
  SeqSet back;
  const auto events = withheld_events(withheld);
  EXPECT_GT(events.size(), 1U);
  for (Event event : events) {
    event.host = "ws-42";
    event.process_key = "ws-42/1/0";
    event.chain_id = withheld.chain_id;
    event.chain_prev = event.chain_hash = kGenesis;
    EXPECT_LT(encode(event).size(), 8U * 1024);
    const auto part = withheld_of(event);
    ASSERT_TRUE(part.has_value());
    EXPECT_EQ(part->chain_id, withheld.chain_id);
    for (const auto& [first, last] : part->seqs.ranges())
      for (std::uint64_t seq = first; seq <= last; ++seq) EXPECT_TRUE(back.add(seq, 2'000)) << seq;
  }
  EXPECT_EQ(seqs_to_text(back), seqs_to_text(withheld.seqs));
}

TEST(Arrival, CountsWhatLiesBehindTheLastCheckpoint) {
  ChainWriter chain;
  Lines lines = chain.lines(3);
  lines.push_back(chain.line(EventType::kCheckpoint, ""));
  add(lines, chain.lines(2));
  const auto report = check_lines(lines);
  EXPECT_EQ(report.chains.at(0).checkpoint_seq, 4U);
  EXPECT_THAT(to_text(report), HasSubstr("2 events behind the last checkpoint (seq 4)"));
}

TEST(Arrival, NamesTheStartOnlyWhenAskedTo) {
  Lines lines = ChainWriter().lines(9);
  erase(lines, 0, 4);
  ArrivalOptions options;
  options.from_start = true;
  EXPECT_EQ(brief(check_lines(lines, options)), "missing chain-a 1-4");
}

// ---- the whole command

TEST(ArrivalCommand, ReadsFoldersCompressionAndHardLinksOnce) {
  const TempDir dir;
  ChainWriter chain;
  write_text(dir.file("2026/a.json.gz"), test::gzipped(joined(chain.lines(3))));
  write_text(dir.file("2026/b.json.zst"), test::zstd_compressed(joined(chain.lines(3))));
  write_text(dir.file("2026/c.json"), joined(chain.lines(3)));
  std::filesystem::create_hard_link(dir.file("2026/c.json"), dir.file("archives.json"));
  const ManualClock clock("2026-11-24T02:20:42Z");
  const auto done = verify_arrived({dir.path()}, {}, clock);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->exit_code, 0);
  EXPECT_THAT(done->text, HasSubstr("complete from seq 1 to 9"));
  EXPECT_THAT(done->text, HasSubstr("complete: 9 events of 1 chain and 1 host in 9 lines."));
}

TEST(ArrivalCommand, TellsItsOutcomeByTheExitCode) {
  const TempDir dir;
  const ManualClock clock;
  const std::string file = dir.file("in");
  const auto code = [&](const std::string& text, const ArrivedArguments& arguments = {}) {
    write_text(file, text);
    const auto done = verify_arrived({file}, arguments, clock);
    return done ? done->exit_code : -1;
  };
  ChainWriter chain;
  Lines lines = chain.lines(4);
  EXPECT_EQ(code(joined(lines)), 0);
  EXPECT_EQ(code(joined(lines) + lines[0].substr(0, 99)), 3);
  std::string ended = joined(lines);
  ended.pop_back();  // only the LF is not there yet
  EXPECT_EQ(code(ended), 0);
  EXPECT_EQ(code("sshd: hello\n"), 5);
  EXPECT_EQ(code(""), 5);
  lines.erase(lines.begin() + 1);
  EXPECT_EQ(code(joined(lines)), 1);
  EXPECT_EQ(code("", {.form = "xml"}), -1);
  EXPECT_EQ(code("", {.silent_after = "2 weeks"}), -1);
  EXPECT_EQ(code("", {.at = "yesterday"}), -1);
  EXPECT_FALSE(verify_arrived({dir.file("none")}, {}, clock));
}

TEST(ArrivalCommand, WritesWhatPeopleAndProgramsRead) {
  const TempDir dir;
  Lines lines;
  for (const std::string host : {"ws-1", "ws-2"}) {
    ChainWriter chain("chain-" + host, host);
    add(lines, chain.lines(8));
  }
  erase(lines, 10, 12);
  alter(lines[5]);
  lines.push_back(lines[0]);
  lines.push_back(R"({"_source":{"lilith":{"schema":1,"event":"decision")");
  write_text(dir.file("in"), joined(lines));
  write_text(dir.file("hosts"), "ws-1\nws-2  # a lab machine\n\nws-\"3\"\n");
  const ManualClock clock;
  ArrivedArguments arguments{.silent_after = "30m",
                             .hosts_file = dir.file("hosts"),
                             .at = "2026-11-24T02:20:42Z",
                             .prometheus = dir.file("out.prom")};
  const auto text = verify_arrived({dir.file("in")}, arguments, clock);
  ASSERT_TRUE(text) << text.error().message;
  arguments.json = true;
  const auto as_json = verify_arrived({dir.file("in")}, arguments, clock);
  ASSERT_TRUE(as_json);
  json::Document document;
  ASSERT_TRUE(document.parse(as_json->text).has_value());
  const auto without_dir = [&](std::string out) {
    for (std::size_t at; (at = out.find(dir.path())) != std::string::npos;)
      out.replace(at, dir.path().size(), "DIR");
    return out;
  };
  test::expect_golden("verify-arrived.txt", without_dir(text->text));
  test::expect_golden("verify-arrived.json", without_dir(as_json->text));
  test::expect_golden("verify-arrived.prom", test::read_text(dir.file("out.prom")));
}

TEST(ArrivalCommand, KnowsALogOfOursFromWhatArrivedElsewhere) {
  const TempDir dir;
  ChainWriter chain;
  const std::string line = chain.line();
  write_text(dir.file("log"), line + "\n");
  write_text(dir.file("syslog"),
             "Nov 24 00:20:42 ws-42 sshd: x\nNov 24 00:20:42 ws-42 lilith: " + line + "\n");
  write_text(dir.file("wazuh"), alert(line) + "\n");
  EXPECT_FALSE(looks_arrived(dir.file("log")));
  EXPECT_FALSE(looks_arrived(dir.file("none")));
  EXPECT_TRUE(looks_arrived(dir.file("syslog")));
  EXPECT_TRUE(looks_arrived(dir.file("wazuh")));
}

// Whatever a line holds, it is one of the five states and no harm is done.
TEST(Arrival, TakesEveryCutOfEveryForm) {
  ChainWriter chain;
  const std::string line = chain.line(EventType::kDecision, "echo \"x\" \\");
  for (const FormCase& form : kForms) {
    const std::string whole = form.wrap(line);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      LineOpener opener;
      ArrivedEvent event;
      const std::string cut = whole.substr(0, size);
      const LineState state = opener.open(cut, event);
      if (state == LineState::kWhole) {
        EXPECT_EQ(event.line, line) << form.name;
      }
      EXPECT_NE(state, LineState::kLinked) << form.name << " " << cut;
    }
  }
}

}  // namespace
}  // namespace lilith::audit
