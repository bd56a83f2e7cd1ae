// `lilith wazuh test`: the command line over the model, against the results of the real engine.

#include "tests/support/support.hpp"
#include "tests/wazuh/samples.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace lilith::test {
namespace {

using testing::HasSubstr;

const std::string kKit = std::string(LILITH_SOURCE_DIR) + "/wazuh/";
const std::string kRules = kKit + "lilith_rules.xml";

ProcessResult wazuh_test(std::vector<std::string> arguments, const std::string& input = "") {
  std::vector<std::string> argv{std::string(LILITH_BIN_DIR) + "/lilith", "wazuh", "test"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  ProcessOptions options;
  options.input = input;
  return run(argv, options);
}

struct Golden {
  std::string name, events;
};
void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }
class CommandAndEngine : public testing::TestWithParam<Golden> {};

// "n<TAB>rule<TAB>level<TAB>ALERT" of *.expected.tsv as the --json row without its description.
std::string json_row(const std::string& tsv) {
  std::vector<std::string> cells{""};
  for (const char c : tsv) {
    if (c == '\t') {
      cells.emplace_back();
    } else {
      cells.back().push_back(c);
    }
  }
  const bool none = cells.at(1) == "-";
  return R"({"n":)" + cells[0] + R"(,"rule":)" + (none ? "null" : cells[1]) + R"(,"level":)" +
         (none ? "0" : cells[2]) + R"(,"alert":)" + (cells.at(3) == "ALERT" ? "true" : "false");
}

TEST_P(CommandAndEngine, AgreeLineForLine) {
  const std::string folder = "data/wazuh-golden/";
  LILITH_NEEDS_SHARED(rules, folder + GetParam().name + ".xml");
  LILITH_NEEDS_SHARED(expected, folder + GetParam().name + ".expected.tsv");
  LILITH_NEEDS_SHARED(events, folder + GetParam().events);
  const auto result = wazuh_test({rules, events, "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "") << "no warning";
  const auto rows = lines_of(result.out);
  const auto wanted = lines_of(read_text(expected));
  ASSERT_EQ(rows.size() + 1, wanted.size()) << "a header and a row for each log line";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_TRUE(rows[i].starts_with(json_row(wanted[i + 1]))) << rows[i] << "\n" << wanted[i + 1];
  }
}
INSTANTIATE_TEST_SUITE_P(Golden, CommandAndEngine,
                         testing::Values(Golden{"a-three-rules", "events.jsonl"},
                                         Golden{"b-tree", "events.jsonl"},
                                         Golden{"c-caret-action", "events.jsonl"},
                                         Golden{"e-groups", "e-groups.events.jsonl"}),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(WazuhCommand, PrintsARowALineAndTheTotals) {
  const auto result = wazuh_test({kRules, kKit + "samples/100802-repeated-egress.jsonl"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto rows = lines_of(result.out);
  ASSERT_EQ(rows.size(), 9U) << result.out;
  EXPECT_EQ(rows[0],
            "1\t100801\t13\tALERT\tlilith: egress of claude_code to evil.example denied by "
            "egress.default_action");
  EXPECT_THAT(rows[4], HasSubstr("5\t100802\t15\tALERT\t"));
  EXPECT_EQ(rows[6], "5 lines, 5 alerts");
  EXPECT_EQ(rows[7], "  100801 (level 13): 4");
  EXPECT_EQ(rows[8], "  100802 (level 15): 1");
}

TEST(WazuhCommand, ReadsStandardInputAndMovesTheClock) {
  const auto line = lines_of(read_text(kKit + "samples/100801-egress-denied.jsonl")).front();
  for (const auto& [step, rule] : {std::pair{"@+15\n", "100802"}, std::pair{"@+16\n", "100801"}}) {
    std::string input;
    for (int i = 0; i < 5; ++i) input += line + "\n" + step;
    const auto result = wazuh_test({kRules, "-", "--json"}, input);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(lines_of(result.out).at(4), HasSubstr(std::string("\"rule\":") + rule)) << step;
  }
}

TEST(WazuhCommand, LineOfNoRuleIsNullAndStockRulesCanBeLeftOut) {
  const std::string input = "nothing of interest\naccess denied\n";
  EXPECT_EQ(wazuh_test({kRules, "-", "--json"}, input).out,
            "{\"n\":1,\"rule\":null,\"level\":0,\"alert\":false}\n"
            "{\"n\":2,\"rule\":1002,\"level\":2,\"alert\":false,\"description\":\"Unknown problem "
            "somewhere in the system.\"}\n");
  EXPECT_EQ(wazuh_test({kRules, "-", "--no-stock"}, input).out,
            "1\t-\t-\t\n2\t-\t-\t\n\n2 lines, 0 alerts\n");
}

// Without the base rule of level 0 a stock rule takes long lines, and nothing is alerted.
TEST(WazuhCommand, ShowsWhatStockRule1003DoesToRulesWithoutABase) {
  const TempDir folder;
  write_text(folder.file("article.xml"),
             "<group name=\"a,\"><rule id=\"100801\" level=\"13\"><decoded_as>json</decoded_as>"
             "<action>denied</action><description>d</description></rule></group>");
  const std::string text = R"(,"action":"denied"})";
  const std::string input = R"({"lilith":{"x":1})" + text + "\n" + R"({"lilith":{"x":")" +
                            std::string(1100, 'x') + "\"}" + text + "\n";
  const auto rows = lines_of(wazuh_test({folder.file("article.xml"), "-", "--json"}, input).out);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_THAT(rows[0], HasSubstr(R"("rule":100801,"level":13,"alert":true)"));
  EXPECT_THAT(rows[1], HasSubstr(R"("rule":1003,"level":13,"alert":false)"));
}

struct Refused {
  std::string name;
  std::string rules;   // of rules.xml; empty: the bundled ones
  std::string events;  // of standard input
  std::vector<std::string> more;
  int exit_code;
  std::string said;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }
class WazuhCommandRefuses : public testing::TestWithParam<Refused> {};

TEST_P(WazuhCommandRefuses, AndSaysWhereAndWhy) {
  const TempDir folder;
  const std::string file = folder.file("rules.xml");
  if (!GetParam().rules.empty()) write_text(file, GetParam().rules);
  std::vector<std::string> arguments{GetParam().rules.empty() ? kRules : file, "-"};
  arguments.insert(arguments.end(), GetParam().more.begin(), GetParam().more.end());
  const auto result = wazuh_test(arguments, GetParam().events);
  EXPECT_EQ(result.exit_code, GetParam().exit_code) << result.out;
  EXPECT_THAT(result.err, HasSubstr(GetParam().said));
}
INSTANTIATE_TEST_SUITE_P(
    Wazuh, WazuhCommandRefuses,
    testing::Values(
        Refused{"the_rules_as_the_article_prints_them",
                "<group name=\"g,\">\n<rule id=\"100800\" level=\"10\">\n"
                "<decoded_as>json</decoded_as>\n<field name=\"action\">denied</field>\n"
                "<description>d</description></rule></group>",
                "",
                {},
                2,
                "rules.xml:4: rule 100800: Field 'action' is static."},
        Refused{"an_element_that_is_not_modelled",
                "<group name=\"g,\">\n<rule id=\"1\" level=\"3\"><weekday>monday</weekday>"
                "<description>d</description></rule></group>",
                "",
                {},
                2,
                "rules.xml:2: rule 1: not supported: <weekday>"},
        Refused{"a_bad_pattern",
                "<group name=\"g,\">\n\n<rule id=\"1\" level=\"3\"><field name=\"a\" "
                "type=\"pcre2\">[</field><description>d</description></rule></group>",
                "",
                {},
                2,
                "rules.xml:3: rule 1: pcre2 pattern '['"},
        Refused{"a_file_of_events_where_rules_belong",
                "{\"lilith\":{}}\n",
                "",
                {},
                2,
                "there is no <group> of rules in it"},
        Refused{"a_bad_clock_line", "", "@+5s\n", {}, 2, "-:1: '@+5s' is no clock line"},
        Refused{"a_decoder_of_another_kind", "", "", {"--decoders", "DECODERS"}, 3, "DECODERS"},
        Refused{"an_unknown_option", "", "", {"--nope"}, 2, "--nope"}),
    [](const auto& test) { return test.param.name; });

TEST(WazuhCommand, WarnsOfADuplicateAsAManagerDoesAndGoesOn) {
  const auto result = wazuh_test({kRules, kRules, "-"}, "{\"lilith\":{\"schema\":1}}\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("lilith_rules.xml"));
  EXPECT_THAT(result.err, HasSubstr("rule 100800 (7612)"));
  EXPECT_THAT(result.out, HasSubstr("1\t100804\t1\t"));
}

TEST(WazuhCommand, FileThatIsMissingIsIncompleteInput) {
  EXPECT_EQ(wazuh_test({"none.xml", "-"}).exit_code, 3);
  EXPECT_EQ(wazuh_test({kRules, "none.jsonl"}).exit_code, 3);
  EXPECT_EQ(wazuh_test({kRules}).exit_code, 2);
}

// ---- syslog forms, as runs of the real decoders showed them

struct Form {
  std::string name, before;
  bool stock, with_ours;
};
void PrintTo(const Form& form, std::ostream* out) { *out << form.name; }
class SyslogForm : public testing::TestWithParam<Form> {};

TEST_P(SyslogForm, IsReadAsRunsOfTheRealDecodersShowed) {
  const Form& form = GetParam();
  const auto line = lines_of(read_text(kKit + "samples/100801-egress-denied.jsonl")).front();
  const std::string input = form.before + line + "\n";
  const auto stock = wazuh_test({kRules, "-", "--json"}, input);
  const auto ours =
      wazuh_test({kRules, "-", "--json", "--decoders", kKit + "lilith_decoders.xml"}, input);
  const std::string fires = "\"rule\":100801";
  EXPECT_EQ(stock.out.find(fires) != std::string::npos, form.stock) << stock.out << stock.err;
  EXPECT_EQ(ours.out.find(fires) != std::string::npos, form.with_ours) << ours.out << ours.err;
}
INSTANTIATE_TEST_SUITE_P(
    Wazuh, SyslogForm,
    testing::Values(
        Form{"bare", "", true, true}, Form{"no_tag", "Nov 24 00:00:00 host ", true, true},
        Form{"tag", "Nov 24 00:00:00 host lilith: ", false, true},
        Form{"tag_with_pid", "Nov 24 00:00:00 host lilith[12]: ", false, true},
        Form{"tag_without_blank", "Nov 24 00:00:00 host lilith[12]:", false, true},
        Form{"day_of_one_digit", "Nov  4 00:00:00 host lilith: ", false, true},
        Form{"other_tag", "Nov 24 00:00:00 host sshd[12]: ", false, false},
        Form{"iso_offset", "2026-11-24T00:00:00+00:00 host lilith[1]: ", false, true},
        Form{"iso_milliseconds", "2026-11-24T00:00:00.123+00:00 host lilith[1]: ", false, true},
        Form{"iso_microseconds", "2026-11-24T00:00:00.123456+00:00 host lilith[1]: ", false, true},
        Form{"iso_without_tag", "2026-11-24T00:00:00+00:00 host ", true, true},
        Form{"iso_z", "2026-11-24T00:00:00Z host lilith[1]: ", false, false},
        Form{"iso_z_fraction", "2026-11-24T00:00:00.123Z host lilith[1]: ", false, false},
        Form{"rfc5424", "1 2026-11-24T00:00:00.123456Z host lilith 123 - - ", false, true},
        Form{"rfc5424_with_structured_data",
             "1 2026-11-24T00:00:00.123456Z host lilith 123 - [a@1 b=\"c\"] ", false, false},
        Form{"cee", "Nov 24 00:00:00 host lilith: @cee: ", false, false},
        Form{"ipv6_host", "Nov 24 00:00:00 fe80::1 lilith: ", false, false},
        Form{"octet_count", "37 <134>", false, false}),
    [](const auto& test) { return test.param.name; });

TEST(SyslogHeader, IsSeenByPositionEvenInsideAnObject) {
  // Why a line of ours begins {"lilith": whatever it holds.
  const std::string input = R"({"a bc de:fg:hi jk":1,"action":"denied"})";
  const TempDir folder;
  write_text(folder.file("r.xml"),
             "<group name=\"a,\"><rule id=\"7\" level=\"3\"><decoded_as>json</decoded_as>"
             "<description>d</description></rule></group>");
  EXPECT_THAT(wazuh_test({folder.file("r.xml"), "-", "--json", "--no-stock"}, input).out,
              HasSubstr("\"rule\":null"));
}

// ---- lists

TEST(FirstSeen, AnUnlistedMcpServerAlertsOnceAnHourAndAListedOneNever) {
  const auto line = [](std::string_view agent, std::string_view server) {
    return R"({"lilith":{"schema":1,"event":"decision","host":"ws","agent":{"name":")" +
           std::string(agent) + R"("},"tool":{"name":"x","server":")" + std::string(server) +
           "\"}},\"action\":\"allowed\"}\n";
  };
  const std::string input = line("claude_code", "ide") + line("claude_code", "new") +
                            line("claude_code", "new") + "@+3600\n" + line("claude_code", "new") +
                            line("new_agent", "");
  const auto result =
      wazuh_test({kRules, kKit + "lilith_rules_first_seen.xml", "-", "--json", "--list",
                  kKit + "lists/lilith-agents", "--list", kKit + "lists/lilith-mcp-servers"},
                 input);
  EXPECT_EQ(result.err, "");
  const auto rows = lines_of(result.out);
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_THAT(rows[0], HasSubstr(R"("rule":100805,"level":2,"alert":false)"));
  EXPECT_THAT(rows[1], HasSubstr(R"("rule":100816,"level":7,"alert":true)"));
  EXPECT_THAT(rows[2], HasSubstr(R"("rule":100816,"level":7,"alert":false)"));
  EXPECT_THAT(rows[3], HasSubstr(R"("alert":true)"));
  EXPECT_THAT(rows[4], HasSubstr(R"("rule":100817,"level":7,"alert":true)"));
}

TEST(FirstSeen, WithoutTheListsTheRulesAreLeftOutWithWazuhsWarning) {
  const auto result = wazuh_test({kRules, kKit + "lilith_rules_first_seen.xml", "-"}, "");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("rule 100816 (7616): list 'lilith-mcp-servers'"));
}

TEST(FirstSeen, RulesAreReadAfterTheirParentInOrderOfNames) {
  EXPECT_LT(std::string("lilith_rules.xml"), std::string("lilith_rules_first_seen.xml"));
}

}  // namespace
}  // namespace lilith::test
