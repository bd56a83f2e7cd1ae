// The bundled ruleset: what a manager would refuse, what correlation would lose, and which rule
// fires on what the program really writes.

#include "audit/json/reader.hpp"
#include "tests/support/support.hpp"
#include "tests/wazuh/samples.hpp"
#include "wazuh/decode.hpp"
#include "wazuh/engine.hpp"
#include "wazuh/ruleset.hpp"

#include <gmock/gmock.h>
#include <pugixml.hpp>

#include <algorithm>
#include <regex>
#include <set>

namespace lilith::test {
namespace {

const std::string kKit = std::string(LILITH_SOURCE_DIR) + "/wazuh/";

std::string rules_text() { return read_text(kKit + "lilith_rules.xml"); }

pugi::xml_document rules_document() {
  pugi::xml_document document;
  const std::string text = rules_text();
  const auto parsed = document.load_buffer(text.data(), text.size(), pugi::parse_full);
  EXPECT_TRUE(parsed) << parsed.description() << " at byte " << parsed.offset;
  return document;
}

wazuh::Ruleset bundled() {
  auto set = wazuh::load_rules({{"lilith_rules.xml", rules_text()}});
  EXPECT_TRUE(set.has_value()) << set.error().message;
  return set ? std::move(*set) : wazuh::Ruleset{};
}

const wazuh::Rule* find(const wazuh::Ruleset& set, int id) {
  const auto at =
      std::find_if(set.rules.begin(), set.rules.end(), [id](const auto& r) { return r.id == id; });
  return at == set.rules.end() ? nullptr : &*at;
}

TEST(BundledRules, LoadWithoutErrorOrWarning) {
  const auto set = bundled();
  EXPECT_THAT(set.warnings, testing::IsEmpty());
  EXPECT_GE(set.rules.size(), 18U);
}

TEST(BundledRules, ArePlainAsciiForWazuhsOwnXmlParser) {
  for (const char* name : {"lilith_rules.xml", "lilith_decoders.xml"}) {
    const std::string text = read_text(kKit + name);
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) {
      return c == '\n' || (c >= ' ' && c <= '~');
    })) << name;
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("CDATA"))) << name;
  }
}

TEST(BundledRules, HaveTheIdsThatPlayBooksName) {
  std::set<int> ids;
  for (const auto& rule : bundled().rules) {
    EXPECT_TRUE(rule.id >= 100800 && rule.id <= 100832) << rule.id;
    ids.insert(rule.id);
  }
  EXPECT_THAT(ids, testing::IsSupersetOf({100800, 100801, 100802, 100803, 100804, 100805, 100806,
                                          100807, 100810, 100811, 100812, 100813, 100814, 100815,
                                          100820, 100821, 100822, 100829, 100830, 100831, 100832}));
}

struct Level {
  int rule, level;
};
TEST(BundledRules, HaveTheAgreedLevels) {
  const auto set = bundled();
  for (const auto& [id, level] :
       {Level{100800, 10}, {100801, 13}, {100802, 15}, {100803, 0},  {100804, 1},  {100805, 2},
        {100806, 3},       {100807, 15}, {100810, 13}, {100811, 11}, {100812, 12}, {100813, 11},
        {100814, 12},      {100815, 13}, {100820, 8},  {100821, 12}, {100822, 12}, {100829, 12},
        {100830, 10},      {100831, 14}, {100832, 2}}) {
    const auto* rule = find(set, id);
    ASSERT_NE(rule, nullptr) << id;
    EXPECT_EQ(rule->level, level) << id;
  }
}

TEST(BundledRules, NameNoStaticFieldAndAnchorEveryPattern) {
  const pugi::xml_document document = rules_document();
  std::size_t seen = 0;
  for (const auto& found : document.select_nodes("//field")) {
    const pugi::xml_node field = found.node();
    const std::string name = field.attribute("name").as_string();
    const std::string_view text = field.text().get();
    EXPECT_FALSE(wazuh::is_static_field(name)) << name;
    EXPECT_STREQ(field.attribute("type").as_string(), "pcre2") << name;
    EXPECT_TRUE(text.starts_with('^') && text.ends_with('$')) << name << ": " << text;
    ++seen;
  }
  EXPECT_GE(seen, 15U);
}

TEST(BundledRules, CompareActionAsAWholeString) {
  const pugi::xml_document document = rules_document();
  for (const auto& found : document.select_nodes("//action")) {
    EXPECT_THAT(found.node().text().get(), testing::MatchesRegex("[a-z_]+"));
    EXPECT_TRUE(found.node().attribute("type").empty());
  }
}

TEST(BundledRules, KeepEveryEgressDenialCountable) {
  const auto set = bundled();
  std::set<int> egress{100801};
  std::size_t last_of_group = 0;
  std::size_t burst = 0;
  for (std::size_t i = 0; i < set.rules.size(); ++i) {
    const auto& rule = set.rules[i];
    if (std::any_of(rule.if_sid.begin(), rule.if_sid.end(),
                    [&](int sid) { return egress.contains(sid); })) {
      egress.insert(rule.id);
      EXPECT_TRUE(rule.in_group("lilith_egress_denied"))
          << rule.id << " would hide its events from 100802";
    }
    if (rule.in_group("lilith_egress_denied")) last_of_group = i;
    if (rule.id == 100802) burst = i;
    // One rule can't feed if_matched_sid and if_matched_group at once.
    EXPECT_EQ(rule.if_matched_sid, 0) << rule.id;
  }
  EXPECT_GT(egress.size(), 1U);
  EXPECT_GT(burst, last_of_group) << "Wazuh marks only rules that it has read before 100802";
  EXPECT_FALSE(set.rules[burst].in_group("lilith_egress_denied")) << "100802 would feed itself";
  EXPECT_THAT(set.rules[burst].same_fields, testing::ElementsAre("lilith.process.key"));
  EXPECT_EQ(set.rules[burst].frequency, 5);
  EXPECT_EQ(set.rules[burst].timeframe_s, 60);
}

TEST(BundledRules, BaseStandsFirstAndAtLevelZero) {
  const auto set = bundled();
  ASSERT_FALSE(set.rules.empty());
  EXPECT_EQ(set.rules.front().id, 100803);
  EXPECT_EQ(set.rules.front().level, 0);
}

TEST(BundledRules, ComplianceGroupsAndTechniquesAreOfValidForm) {
  const std::regex compliance(
      R"((pci_dss_\d+(\.\d+)*|gdpr_[IVX]+(_\d+(\.\d+)*(\.[a-z])?)?|hipaa_164\.\d{3}\.[a-z](\.\d)?|nist_800_53_[A-Z]{2}\.\d+|tsc_(A|C|CC|P|PI)\d\.\d))");
  const std::regex technique(R"(T\d{4}(\.\d{3})?)");
  for (const auto& rule : bundled().rules) {
    for (const std::string& group : rule.groups) {
      if (group.starts_with("lilith") || group == "ai_agent_security") continue;
      EXPECT_TRUE(std::regex_match(group, compliance)) << rule.id << ": " << group;
    }
    for (const std::string& id : rule.mitre)
      EXPECT_TRUE(std::regex_match(id, technique)) << rule.id << ": " << id;
    EXPECT_TRUE(rule.level < 13 || !rule.mitre.empty()) << rule.id;
  }
}

// Every $(field), <field name> and same_field is one that audit::encode writes into the sample of
// that rule.
TEST(BundledRules, UseOnlyFieldsThatTheCodecWrites) {
  const auto set = bundled();
  for (const WazuhSample& sample : wazuh_samples()) {
    const auto line = wazuh::decode_line(sample.lines.back());
    const auto* rule = find(set, sample.rule);
    ASSERT_NE(rule, nullptr) << sample.name;
    for (const auto& test : rule->fields)
      EXPECT_NE(line.field(test.name), nullptr) << sample.name << ": " << test.name;
    for (const auto& name : rule->same_fields)
      EXPECT_NE(line.field(name), nullptr) << sample.name << ": " << name;
    const std::regex reference(R"(\$\(([^)]*)\))");
    for (std::sregex_iterator it(rule->description.begin(), rule->description.end(), reference),
         end;
         it != end; ++it) {
      EXPECT_NE(line.field((*it)[1].str()), nullptr) << sample.name << ": $(" << (*it)[1] << ")";
    }
  }
}

TEST(BundledRules, EveryRuleThatCanBeReportedHasASample) {
  std::set<int> sampled;
  for (const WazuhSample& sample : wazuh_samples()) sampled.insert(sample.rule);
  for (const auto& rule : bundled().rules) {
    if (rule.id == 100803) continue;  // its child 100804 takes whatever the others leave
    EXPECT_TRUE(sampled.contains(rule.id)) << rule.id;
  }
}

class Sample : public testing::TestWithParam<WazuhSample> {};

TEST_P(Sample, FiresItsRule) {
  const WazuhSample& sample = GetParam();
  wazuh::Engine engine(bundled());
  wazuh::Outcome last;
  std::int64_t clock = 0;
  for (const std::string& line : sample.lines) {
    last = engine.feed(line, clock += 5);
    EXPECT_EQ(last.rule == sample.rule, &line == &sample.lines.back());
  }
  EXPECT_EQ(last.rule, sample.rule) << sample.lines.back();
  EXPECT_EQ(last.level, sample.level);
  EXPECT_EQ(last.alert, sample.level >= 3);
  EXPECT_THAT(last.description, testing::Not(testing::HasSubstr("$(")));
}

// The shipped file is what the codec writes now; LILITH_UPDATE_GOLDEN=1 writes it anew.
TEST_P(Sample, FileIsWhatTheCodecWrites) {
  const WazuhSample& sample = GetParam();
  const std::string path = kKit + "samples/" + sample.name + ".jsonl";
  std::string text;
  for (const std::string& line : sample.lines) text += line + "\n";
  if (std::getenv("LILITH_UPDATE_GOLDEN") != nullptr) write_text(path, text);
  EXPECT_EQ(read_text(path), text);
}

INSTANTIATE_TEST_SUITE_P(Wazuh, Sample, testing::ValuesIn(wazuh_samples()), [](const auto& test) {
  std::string name = test.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// The layout of Wazuh's own ruleset/testing/tests/*.ini. Rules that need several lines are left
// out: that runner has no clock.
std::string ini_text() {
  std::string out =
      "; Single-event tests of lilith_rules.xml in the layout of Wazuh's ruleset/testing/tests. "
      "Written by tests/wazuh.\n";
  for (const WazuhSample& sample : wazuh_samples()) {
    if (sample.lines.size() != 1) continue;
    out += "\n[lilith: " + sample.title + "]\nlog 1 pass = " + sample.lines.front() +
           "\nrule = " + std::to_string(sample.rule) + "\nalert = " + std::to_string(sample.level) +
           "\ndecoder = json\n";
  }
  return out;
}

TEST(WazuhIni, IsWhatTheCodecWrites) {
  const std::string path = kKit + "tests/lilith.ini";
  if (std::getenv("LILITH_UPDATE_GOLDEN") != nullptr) write_text(path, ini_text());
  EXPECT_EQ(read_text(path), ini_text());
}

TEST(WazuhIni, HasNoPercentSignThatConfigParserWouldExpand) {
  EXPECT_THAT(ini_text(), testing::Not(testing::HasSubstr("%")));
}

// Whoever gets an alert finds its rule, with its level, on the analyst's page.
TEST(BundledRules, EveryAlertIsExplainedOnTheAnalystsPage) {
  auto set = wazuh::load_rules(
      {{"lilith_rules.xml", rules_text()},
       {"lilith_rules_first_seen.xml", read_text(kKit + "lilith_rules_first_seen.xml")}},
      {{"lilith-agents", {}}, {"lilith-mcp-servers", {}}});
  ASSERT_TRUE(set.has_value()) << set.error().message;
  std::vector<std::string> rows;
  for (const std::string& line :
       lines_of(read_text(std::string(LILITH_SOURCE_DIR) + "/docs/wazuh-analyst.md"))) {
    if (line.starts_with("| 100")) rows.push_back(line);
  }
  std::size_t explained = 0;
  for (const auto& rule : set->rules) {
    if (rule.level < 3) continue;
    const std::string id = std::to_string(rule.id);
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const std::string& one) {
      return one.substr(0, one.find('|', 2)).find(id) != std::string::npos;
    });
    ASSERT_NE(row, rows.end()) << id;
    EXPECT_THAT(*row, testing::HasSubstr("| " + std::to_string(rule.level) + " |")) << id;
    ++explained;
  }
  EXPECT_EQ(explained, 20U);
}

TEST(BundledRules, NeverAlertOnImportedHistory) {
  wazuh::Engine engine(bundled());
  for (const WazuhSample& sample : wazuh_samples()) {
    if (sample.name != "100804-imported") continue;
    for (int i = 0; i < 50; ++i) {
      const auto outcome = engine.feed(sample.lines.front(), i);
      EXPECT_EQ(outcome.rule, 100804);
      EXPECT_FALSE(outcome.alert);
    }
    return;
  }
  FAIL() << "sample is missing";
}

// Five processes of one workstation with four denials each are no burst; the fifth of one of them
// is.
TEST(BundledRules, CountEgressDenialsPerProcess) {
  wazuh::Engine engine(bundled());
  const auto line = [](int process, std::string_view technique) {
    return R"({"lilith":{"schema":1,"event":"decision","process":{"key":"ws/)" +
           std::to_string(process) + R"(/1"},"technique":")" + std::string(technique) +
           R"("},"action":"denied","category":"egress"})";
  };
  for (int round = 0; round < 4; ++round) {
    for (int process = 0; process < 5; ++process) {
      const bool upload = (round + process) % 2 == 0;
      EXPECT_EQ(
          engine.feed(line(process, upload ? "T1071.001" : "T1048"), round * 10 + process).rule,
          upload ? 100810 : 100801);
    }
  }
  EXPECT_EQ(engine.feed(line(3, "T1071.001"), 45).rule, 100802);
  EXPECT_EQ(engine.feed(line(3, "T1048"), 46).rule, 100801) << "it counts anew after firing";
}

}  // namespace
}  // namespace lilith::test
