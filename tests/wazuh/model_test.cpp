// The model of Wazuh's rule engine against the real one: every line of shared/data/wazuh-golden,
// and the rules of its loader.

#include "tests/support/support.hpp"
#include "wazuh/decode.hpp"
#include "wazuh/engine.hpp"
#include "wazuh/ruleset.hpp"

#include <gmock/gmock.h>

#include <string>

namespace lilith::test {
namespace {

using testing::HasSubstr;

struct Golden {
  std::string name, events;
};
void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

class RealEngine : public testing::TestWithParam<Golden> {};

// "n<TAB>rule<TAB>level<TAB>ALERT" as in *.expected.tsv.
std::string row(std::size_t n, const wazuh::Outcome& outcome) {
  const std::string level = outcome.rule == 0 ? "-" : std::to_string(outcome.level);
  return std::to_string(n) + "\t" + (outcome.rule == 0 ? "-" : std::to_string(outcome.rule)) +
         "\t" + level + "\t" + (outcome.alert ? "ALERT" : "");
}

TEST_P(RealEngine, AgreesEventForEvent) {
  const std::string folder = "data/wazuh-golden/";
  LILITH_NEEDS_SHARED(rules, folder + GetParam().name + ".xml");
  LILITH_NEEDS_SHARED(expected, folder + GetParam().name + ".expected.tsv");
  LILITH_NEEDS_SHARED(events, folder + GetParam().events);
  auto set = wazuh::load_rules({wazuh::stock_rules(), {GetParam().name, read_text(rules)}});
  ASSERT_TRUE(set.has_value()) << set.error().message;
  EXPECT_THAT(set->warnings, testing::IsEmpty());
  wazuh::Engine engine(std::move(*set));
  std::vector<std::string> rows{"n\trule\tlevel\talert"};
  std::int64_t clock = 1'000'000;
  for (const std::string& line : lines_of(read_text(events))) {
    if (line.starts_with("@+")) {
      clock += std::stoll(line.substr(2));
    } else {
      rows.push_back(row(rows.size(), engine.feed(line, clock)));
    }
  }
  EXPECT_GT(rows.size(), 100U);
  EXPECT_EQ(rows, lines_of(read_text(expected)));
}

INSTANTIATE_TEST_SUITE_P(Golden, RealEngine,
                         testing::Values(Golden{"a-three-rules", "events.jsonl"},
                                         Golden{"b-tree", "events.jsonl"},
                                         Golden{"c-caret-action", "events.jsonl"},
                                         Golden{"e-groups", "e-groups.events.jsonl"}),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

struct Refused {
  std::string name, rule, message;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.name; }
class Loader : public testing::TestWithParam<Refused> {};

TEST_P(Loader, RefusesAndSaysWhy) {
  const auto set =
      wazuh::load_rules({{"x.xml", "<group name=\"g,\">" + GetParam().rule + "</group>"}});
  ASSERT_FALSE(set.has_value());
  EXPECT_THAT(set.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Wazuh, Loader,
    testing::Values(
        // The rules as the article prints them: a real manager does not start with them.
        Refused{
            "static_field",
            R"(<rule id="1" level="3"><decoded_as>json</decoded_as><field name="action">denied</field><description>d</description></rule>)",
            "Field 'action' is static"},
        Refused{
            "static_field_in_capitals",
            R"(<rule id="1" level="3"><field name="SrcIP">x</field><description>d</description></rule>)",
            "is static"},
        Refused{"no_description", R"(<rule id="1" level="3"><action>denied</action></rule>)",
                "no description"},
        Refused{"level_17", R"(<rule id="1" level="17"><description>d</description></rule>)",
                "level"},
        Refused{
            "frequency_1",
            R"(<rule id="1" level="3" frequency="1"><if_matched_sid>2</if_matched_sid><description>d</description></rule>)",
            "frequency"},
        Refused{
            "broken_pattern",
            R"(<rule id="1" level="3"><field name="a" type="pcre2">(</field><description>d</description></rule>)",
            "pcre2"},
        Refused{
            "unmodelled_element",
            R"(<rule id="1" level="3"><weekday>monday</weekday><description>d</description></rule>)",
            "x.xml:1: rule 1: not supported: <weekday>"},
        Refused{
            "unmodelled_osregex",
            R"(<rule id="1" level="3"><field name="a">(\d+)</field><description>d</description></rule>)",
            "type=\"pcre2\""},
        Refused{
            "osregex_whose_backtracking_matters",
            R"(<rule id="1" level="3"><field name="a">\w+x</field><description>d</description></rule>)",
            "a repetition before what may be part of it"},
        Refused{
            "same_field_without_counting",
            R"(<rule id="1" level="3"><same_field>a</same_field><description>d</description></rule>)",
            "without if_matched_sid"},
        Refused{
            "list_on_a_value",
            R"(<rule id="1" level="3"><list field="a" lookup="match_key_value">l</list><description>d</description></rule>)",
            "not supported: lookup 'match_key_value'"},
        Refused{"bad_address",
                R"(<rule id="1" level="3"><srcip>1.2.3</srcip><description>d</description></rule>)",
                "no IP address"},
        Refused{
            "rule_outside_of_a_group_element",
            R"(</group><rule id="1" level="3"><description>d</description></rule><group name="h">)",
            "Invalid root element"},
        Refused{"unmodelled_attribute",
                R"(<rule id="1" level="3" accuracy="1"><description>d</description></rule>)",
                "not supported: attribute 'accuracy'"},
        Refused{"not_xml", "<rule", "x.xml"}),
    [](const auto& test) { return test.param.name; });

TEST(LoaderWarnings, FirstOfTwoRulesWithOneIdCounts) {
  const auto set = wazuh::load_rules(
      {{"a.xml",
        R"(<group name="g,"><rule id="7" level="3"><action>x</action><description>first</description></rule></group>)"},
       {"b.xml",
        R"(<group name="g,"><rule id="7" level="9"><action>x</action><description>second</description></rule></group>)"}});
  ASSERT_TRUE(set.has_value()) << set.error().message;
  ASSERT_EQ(set->rules.size(), 1U);
  EXPECT_EQ(set->rules.front().description, "first");
  EXPECT_THAT(set->warnings, testing::ElementsAre(HasSubstr("b.xml:1: rule 7 (7612)")));
}

TEST(LoaderWarnings, AChildOfAnUnknownRuleIsDropped) {
  const auto set = wazuh::load_rules(
      {{"a.xml",
        R"(<group name="g,"><rule id="7" level="3"><if_sid>6</if_sid><description>d</description></rule></group>)"}});
  ASSERT_TRUE(set.has_value()) << set.error().message;
  EXPECT_THAT(set->rules, testing::IsEmpty());
  EXPECT_THAT(set->warnings,
              testing::ElementsAre(HasSubstr("(7617): rule 6"), HasSubstr("(7619)")));
}

TEST(LoaderErrors, AreAllNamedWithTheirLines) {
  const auto set =
      wazuh::load_rules({{"a.xml",
                          "<group name=\"g,\">\n"
                          "<rule id=\"1\" level=\"3\">\n  <weekday>monday</weekday>\n"
                          "  <field name=\"action\">x</field>\n"
                          "  <description>d</description></rule>\n"
                          "<rule id=\"2\" level=\"33\"><description>d</description></rule>\n"
                          "</group>\n"},
                         {"b.xml", "<var name=\"X\">y</var>"}});
  ASSERT_FALSE(set.has_value());
  EXPECT_THAT(
      lines_of(set.error().message),
      testing::ElementsAre("a.xml:3: rule 1: not supported: <weekday>",
                           HasSubstr("a.xml:4: rule 1: Field 'action' is static."),
                           "a.xml:6: rule 2: bad level '33'", "b.xml:1: not supported: <var>"));
}

struct Decoded {
  std::string name, line, field, value;
};
void PrintTo(const Decoded& decoded, std::ostream* out) { *out << decoded.name; }
class JsonDecoder : public testing::TestWithParam<Decoded> {};

TEST_P(JsonDecoder, MakesOfAValueWhatWazuhMakes) {
  const auto line = wazuh::decode_line(GetParam().line);
  EXPECT_TRUE(line.json);
  const std::string* value = line.field(GetParam().field);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(
    Wazuh, JsonDecoder,
    testing::Values(Decoded{"nested", R"({"a":{"b":{"c":"x"}}})", "a.b.c", "x"},
                    Decoded{"small_integer", R"({"a":-5})", "a", "-5"},
                    Decoded{"large_integer", R"({"a":1732406400123})", "a", "1732406400123.000000"},
                    Decoded{"fraction", R"({"a":0.25})", "a", "0.250000"},
                    Decoded{"exponent", R"({"a":1e3})", "a", "1000"},
                    Decoded{"boolean", R"({"a":true})", "a", "true"},
                    Decoded{"null", R"({"a":null})", "a", "null"},
                    Decoded{"array", R"({"a":["x","y",1]})", "a", R"(["x", "y", 1])"},
                    Decoded{"text_is_cut_at_nul", R"({"a":"x\u0000y"})", "a", "x"}),
    [](const auto& test) { return test.param.name; });

TEST(JsonDecoderLine, TopLevelActionIsStaticAndNestedActionIsNot) {
  const auto line = wazuh::decode_line(R"({"lilith":{"action":"inner"},"action":"denied"})");
  ASSERT_NE(line.static_field("action"), nullptr);
  EXPECT_EQ(*line.static_field("action"), "denied");
  EXPECT_EQ(line.field("action"), nullptr);
  ASSERT_NE(line.field("lilith.action"), nullptr);
}

TEST(JsonDecoderLine, ATornLineHasTheDecoderButNoField) {
  const auto line = wazuh::decode_line(R"({"lilith":{"schema":1)");
  EXPECT_TRUE(line.json);
  EXPECT_THAT(line.fields, testing::IsEmpty());
}

TEST(JsonDecoderLine, OtherTextIsNotJson) {
  for (const char* text :
       {"", "[1]", " {\"a\":1}", "{}", "denied", "Nov 24 00:00:00 host lilith[1]: {\"a\":1}"}) {
    EXPECT_FALSE(wazuh::decode_line(text).json) << text;
  }
}

std::string denial(std::string_view key) {
  return R"({"lilith":{"process":{"key":")" + std::string(key) + R"("}},"action":"denied"})";
}
wazuh::Engine counting() {
  auto set = wazuh::load_rules({{"x.xml", R"(<group name="g,">
    <rule id="1" level="3"><decoded_as>json</decoded_as>
      <action>denied</action><description>one</description><group>mine,</group></rule>
    <rule id="2" level="9" frequency="5" timeframe="60"><if_matched_group>mine</if_matched_group>
      <same_field>lilith.process.key</same_field>
      <description>five of $(lilith.process.key)</description></rule>
    <rule id="3" level="3"><decoded_as>json</decoded_as><action>allowed</action>
      <description>other</description></rule></group>)"}});
  EXPECT_TRUE(set.has_value());
  return wazuh::Engine(std::move(*set));
}

TEST(Correlation, AgentsAreCountedApart) {
  auto engine = counting();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(engine.feed(denial("k"), i, "001").rule, 1);
  EXPECT_EQ(engine.feed(denial("k"), 4, "002").rule, 1);
  const auto fifth = engine.feed(denial("k"), 5, "001");
  EXPECT_EQ(fifth.rule, 2);
  EXPECT_EQ(fifth.description, "five of k");
}

TEST(Correlation, TheFifthAfterExactlyTheTimeframeFiresAndOneSecondLaterDoesNot) {
  for (const auto& [last, rule] : {std::pair{60, 2}, std::pair{61, 1}}) {
    auto engine = counting();
    for (int i = 0; i < 4; ++i) EXPECT_EQ(engine.feed(denial("k"), 0).rule, 1);
    EXPECT_EQ(engine.feed(denial("k"), last).rule, rule) << last;
  }
}

TEST(Correlation, AnAbsentFieldNeverFires) {
  auto engine = counting();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(engine.feed(R"({"a":1,"action":"denied"})", i).rule, 1);
}

// memory_size: beyond 8192 matched events the oldest are forgotten, whatever the timeframe says.
TEST(Correlation, AFloodOfOtherEventsPushesEventsOut) {
  for (const auto& [others, rule] : {std::pair{8188, 2}, std::pair{8192, 1}}) {
    auto engine = counting();
    for (int i = 0; i < 4; ++i) EXPECT_EQ(engine.feed(denial("k"), 0).rule, 1);
    for (int i = 0; i < others; ++i)
      EXPECT_EQ(engine.feed(R"({"a":1,"action":"allowed"})", 1).rule, 3);
    EXPECT_EQ(engine.feed(denial("k"), 2).rule, rule) << others;
  }
}

}  // namespace
}  // namespace lilith::test
