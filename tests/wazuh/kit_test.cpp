// The rest of the kit: decoders, ossec.conf blocks, and a real manager where there is one.

#include "audit/json/reader.hpp"
#include "audit/yaml/tree.hpp"
#include "tests/support/support.hpp"
#include "tests/wazuh/samples.hpp"
#include "wazuh/decode.hpp"

#include <gmock/gmock.h>
#include <pugixml.hpp>

#include <filesystem>
#include <regex>
#include <set>
#include <unistd.h>

namespace lilith::test {
namespace {

const std::string kKit = std::string(LILITH_SOURCE_DIR) + "/wazuh/";

pugi::xml_document load(const std::string& name) {
  pugi::xml_document document;
  const std::string text = read_text(kKit + name);
  const auto parsed =
      document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_fragment);
  EXPECT_TRUE(parsed) << name << ": " << parsed.description() << " at byte " << parsed.offset;
  return document;
}

TEST(Decoders, AreAllNamedJsonSoThatDecodedAsHolds) {
  const auto document = load("lilith_decoders.xml");
  std::size_t count = 0;
  for (const auto& decoder : document.children("decoder")) {
    EXPECT_STREQ(decoder.attribute("name").as_string(), "json");
    EXPECT_STREQ(decoder.child_value("plugin_decoder"), "JSON_Decoder");
    ++count;
  }
  EXPECT_EQ(count, 2U);
}

TEST(ConfBlocks, AreWellFormedAndEachHasOneRoot) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kKit + "ossec.conf.d")) {
    const auto document = load("ossec.conf.d/" + entry.path().filename().string());
    const bool of_group = entry.path().filename() == "agent.conf";
    EXPECT_TRUE(document.child(of_group ? "agent_config" : "ossec_config")) << entry.path();
    for (const auto& found : document.select_nodes("//localfile")) {
      EXPECT_STREQ(found.node().child_value("log_format"), "syslog") << entry.path();
    }
    ++count;
  }
  EXPECT_GE(count, 3U);
}

TEST(ConfBlocks, LocalfilePassesLinesOnUnchanged) {
  const auto document = load("ossec.conf.d/agent-localfile.xml");
  const auto block = document.child("ossec_config").child("localfile");
  EXPECT_STREQ(block.child_value("log_format"), "syslog");
  EXPECT_STREQ(block.child_value("location"), "/var/log/lilith/agent-audit.log");
}

TEST(ConfBlocks, RemoteSyslogNamesWhoMaySend) {
  const auto document = load("ossec.conf.d/manager-remote-syslog.xml");
  const auto block = document.child("ossec_config").child("remote");
  EXPECT_STREQ(block.child_value("connection"), "syslog");
  EXPECT_STRNE(block.child_value("allowed-ips"), "");
  EXPECT_STRNE(block.child_value("allowed-ips"), "0.0.0.0/0");
}

TEST(ConfBlocks, DeclareTheListsOfTheFirstSeenRules) {
  const auto conf = load("ossec.conf.d/manager-ruleset.xml");
  const auto rules = load("lilith_rules_first_seen.xml");
  std::size_t count = 0;
  for (const auto& found : rules.select_nodes("//list")) {
    const std::string path = found.node().text().get();
    const std::string query = "//list[text()='" + path + "']";
    EXPECT_TRUE(conf.select_node(query.c_str())) << path;
    EXPECT_TRUE(std::filesystem::exists(kKit + path.substr(path.find('/') + 1))) << path;
    ++count;
  }
  EXPECT_EQ(count, 2U);
}

TEST(Lists, HaveTheFormOfACdbList) {
  for (const char* name : {"lilith-agents", "lilith-mcp-servers"}) {
    for (const std::string& line : lines_of(read_text(kKit + "lists/" + name))) {
      EXPECT_THAT(line, testing::MatchesRegex("[a-z_]+:")) << name;
    }
  }
}

// ---- OpenSearch Dashboards and the index

// Dotted names of everything that a sample holds, as they stand in an alert.
std::set<std::string> alert_fields() {
  std::set<std::string> out{"timestamp", "rule.id", "rule.level", "rule.groups",
                            "rule.description"};
  for (const WazuhSample& sample : wazuh_samples()) {
    for (const std::string& line : sample.lines) {
      const auto decoded = wazuh::decode_line(line);
      for (const auto* fields : {&decoded.statics, &decoded.fields}) {
        for (const auto& [name, value] : *fields) out.insert("data." + name);
      }
    }
  }
  return out;
}

std::string text_at(json::View object, std::initializer_list<std::string_view> path) {
  for (const std::string_view key : path) {
    const auto inner = object.find(key);
    if (!inner) return {};
    object = *inner;
  }
  return std::string(object.string().value_or(""));
}

json::View parsed(json::Document& document, const std::string& text) {
  const auto root = document.parse(text);
  EXPECT_TRUE(root.has_value()) << text;
  return *root;
}

struct SavedObject {
  std::string type, id, line;
};
std::vector<SavedObject> saved_objects() {
  std::vector<SavedObject> out;
  for (const std::string& line : lines_of(read_text(kKit + "dashboards/lilith.ndjson"))) {
    json::Document document;
    const auto root = parsed(document, line);
    out.push_back({std::string(root.text("type")), std::string(root.text("id")), line});
  }
  return out;
}

TEST(Dashboards, EveryReferenceLeadsToAnObjectOfTheFileOrToWazuhsOwnIndexPattern) {
  std::set<std::pair<std::string, std::string>> known{{"index-pattern", "wazuh-alerts-*"}};
  for (const auto& object : saved_objects()) {
    EXPECT_TRUE(known.emplace(object.type, object.id).second) << object.id << " stands twice";
  }
  std::size_t references = 0;
  for (const auto& object : saved_objects()) {
    json::Document document;
    parsed(document, object.line).find("references")->each_element([&](json::View one) {
      ++references;
      EXPECT_TRUE(known.contains({std::string(one.text("type")), std::string(one.text("id"))}))
          << object.id << " -> " << one.text("id");
      return true;
    });
  }
  EXPECT_GE(references, 18U);
}

TEST(Dashboards, PanelsAndVisualizationsAreWholeAndNameFieldsThatEventsHave) {
  const auto fields = alert_fields();
  std::size_t visualizations = 0, panels = 0;
  for (const auto& object : saved_objects()) {
    json::Document document, inner, search;
    const auto root = parsed(document, object.line);
    if (object.type == "visualization") {
      ++visualizations;
      const auto state = parsed(inner, text_at(root, {"attributes", "visState"}));
      EXPECT_FALSE(state.text("type").empty()) << object.id;
      state.find("aggs")->each_element([&](json::View agg) {
        const std::string field = text_at(agg, {"params", "field"});
        EXPECT_TRUE(field.empty() || fields.contains(field)) << object.id << ": " << field;
        return true;
      });
      const auto source = parsed(
          search, text_at(root, {"attributes", "kibanaSavedObjectMeta", "searchSourceJSON"}));
      EXPECT_EQ(source.text("indexRefName"), "kibanaSavedObjectMeta.searchSourceJSON.index");
      const std::string query = text_at(source, {"query", "query"});
      const std::regex name(R"(([a-z_]+(\.[a-z_]+)+)( *:| *>=))");
      for (std::sregex_iterator it(query.begin(), query.end(), name), end; it != end; ++it) {
        EXPECT_TRUE(fields.contains((*it)[1].str())) << object.id << ": " << (*it)[1];
      }
    } else if (object.type == "dashboard") {
      parsed(inner, text_at(root, {"attributes", "panelsJSON"})).each_element([&](json::View one) {
        const std::string name = "panel_" + std::to_string(panels++);
        EXPECT_EQ(one.text("panelRefName"), name);
        EXPECT_THAT(object.line, testing::HasSubstr("\"name\":\"" + name + "\""));
        return true;
      });
    }
  }
  EXPECT_EQ(visualizations, 9U);
  EXPECT_EQ(panels, visualizations) << "each is on the dashboard";
}

// Paths of {"properties": {...}} that end in a type.
void collect_typed(json::View properties, const std::string& prefix, std::set<std::string>& out) {
  properties.each_member([&](std::string_view key, json::View value) {
    const std::string name = prefix + std::string(key);
    if (const auto inner = value.find("properties")) {
      collect_typed(*inner, name + ".", out);
    } else {
      EXPECT_FALSE(value.text("type").empty()) << name;
      out.insert(name);
    }
    return true;
  });
}

TEST(IndexTemplate, TypesOnlyFieldsThatEventsHaveAndOnlyBelowOurOwnObject) {
  json::Document document;
  const auto root = parsed(document, read_text(kKit + "index-template.json"));
  std::set<std::string> typed;
  collect_typed(*root.find("mappings")->find("properties"), "", typed);
  const auto fields = alert_fields();
  EXPECT_GE(typed.size(), 8U);
  for (const std::string& name : typed) {
    EXPECT_TRUE(name.starts_with("data.lilith.")) << name;
    EXPECT_TRUE(fields.contains(name)) << name;
  }
}

TEST(Filebeat, KeepsTheLineAndReadsTheDefaultLog) {
  const std::string text = read_text(kKit + "filebeat/lilith.yml");
  std::vector<yaml::Problem> problems;
  const yaml::Node tree = yaml::read(text, problems);
  ASSERT_TRUE(problems.empty()) << problems.front().line << ": " << problems.front().message;
  ASSERT_EQ(tree.items.size(), 1U) << "a list of inputs";
  EXPECT_EQ(tree.items.front().kind, yaml::Node::Kind::kMap);
  EXPECT_THAT(text, testing::HasSubstr("/var/log/lilith/agent-audit.log*"));
  EXPECT_THAT(text, testing::HasSubstr("to: event.original"));
}

// A real manager says which rule fires on every sample, when the kit is installed there.
TEST(RealManager, WazuhLogtestAgreesWithTheSamples) {
  const std::string logtest = "/var/ossec/bin/wazuh-logtest";
  if (::access(logtest.c_str(), X_OK) != 0) GTEST_SKIP() << logtest << " is not installed here";
  if (::access("/var/ossec/etc/rules/lilith_rules.xml", R_OK) != 0) {
    GTEST_SKIP() << "lilith_rules.xml is not installed in /var/ossec/etc/rules";
  }
  for (const WazuhSample& sample : wazuh_samples()) {
    ProcessOptions options;
    for (const std::string& line : sample.lines) options.input += line + "\n";
    const auto result = run({logtest}, options);
    EXPECT_THAT(result.out + result.err,
                testing::HasSubstr("id: '" + std::to_string(sample.rule) + "'"))
        << sample.name;
  }
}

}  // namespace
}  // namespace lilith::test
