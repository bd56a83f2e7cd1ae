#include "audit/json/reader.hpp"
#include "rules/lint.hpp"
#include "rules/public_suffix.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace lilith::rules {
namespace {

using testing::HasSubstr;

std::vector<Finding> lint_text(const std::string& yaml) {
  const PolicyLoad load = load_policy(yaml, "p.yaml");
  for (const Diagnostic& one : load.diagnostics) {
    if (one.severity == Severity::kError) ADD_FAILURE() << to_string(one);
  }
  return load.policy == nullptr ? std::vector<Finding>() : lint(*load.policy);
}

// A policy of one list of hosts, or of the lists of one tool.
std::string hosts(const std::string& allowed, const std::string& blocked) {
  return "version: \"1\"\negress:\n  default_action: deny\n  allowed_destinations: [" + allowed +
         "]\n  blocked_destinations: [" + blocked + "]\n";
}
std::string tool(const std::string& lists) {
  return "version: \"1\"\ntool_invocations:\n  default_action: deny\n  allowed_tools:\n" + lists;
}

struct LintCase {
  const char* name;
  std::string yaml;
  const char* id;  // nullptr: nothing to say
  int line = 0, column = 0;
  const char* says = "";
};
void PrintTo(const LintCase& c, std::ostream* out) { *out << c.name; }
class PolicyLint : public testing::TestWithParam<LintCase> {};
TEST_P(PolicyLint, Finds) {
  const LintCase& c = GetParam();
  const std::vector<Finding> found = lint_text(c.yaml);
  if (c.id == nullptr) {
    for (const Finding& one : found) ADD_FAILURE() << to_string(one);
    return;
  }
  const auto at =
      std::find_if(found.begin(), found.end(), [&](const Finding& one) { return one.id == c.id; });
  ASSERT_NE(at, found.end()) << c.yaml;
  EXPECT_EQ(at->line, c.line) << to_string(*at);
  EXPECT_EQ(at->column, c.column) << to_string(*at);
  EXPECT_THAT(to_string(*at), HasSubstr(c.says));
  EXPECT_FALSE(at->remedy.empty());
}
const std::string kReads = "    - name: read_file\n";
const std::string kRuns = "    - name: run_command\n";
INSTANTIATE_TEST_SUITE_P(
    Cases, PolicyLint,
    testing::Values(
        LintCase{"host_twice", hosts("a.example.com, A.example.com", ""), "duplicate-entry", 4, 41,
                 "line 4"},
        LintCase{"host_below_suffix", hosts("\"*.example.com\", a.example.com", ""),
                 "shadowed-entry", 4, 43, "'*.example.com'"},
        LintCase{"suffix_below_suffix",
                 hosts("", "\"*.a.example.com\", \"*.example.com\", example.com, a.example.com"),
                 "shadowed-entry", 5, 26, "adds nothing"},
        LintCase{"address_in_block", hosts("", "10.1.2.3, 10.0.0.0/8"), "shadowed-entry", 5, 26,
                 "'10.0.0.0/8'"},
        LintCase{"other_port_is_another_host",
                 hosts("{host: a.example.com, ports: [8443]}, a.example.com", ""), nullptr},
        LintCase{"other_protocol_is_another_host",
                 hosts("{host: a.example.com, protocols: [wss]}, \"*.example.com\"", ""), nullptr},
        LintCase{
            "always_block_is_not_shadowed",
            hosts("", "{host: a.example.com, always_block: true}, \"*.example.com\", example.com"),
            nullptr},
        LintCase{"allowed_and_blocked", hosts("a.example.com", "\"*.example.com\", example.com"),
                 "allow-cancelled", 4, 26, "always wins"},
        LintCase{"blocked_below_what_is_allowed", hosts("\"*.example.com\"", "a.example.com"),
                 nullptr},
        LintCase{"blocked_for_one_port",
                 hosts("{host: \"*.example.com\", ports: [443, 8443]}",
                       "{host: a.example.com, ports: [443]}"),
                 "block-bypassed", 5, 26, "lets others through"},
        LintCase{"apex", hosts("", "\"*.example.com\""), "apex-open", 5, 26, "itself"},
        LintCase{"registry", hosts("\"*.co.uk\"", ""), "public-suffix", 4, 26, "register"},
        LintCase{"top_level", hosts("\"*.com\"", ""), "public-suffix", 4, 26, "register"},
        LintCase{"provider", hosts("\"*.github.io\"", ""), "multi-tenant-host", 4, 26, "customer"},
        LintCase{"one_customer", hosts("lilith.github.io", ""), nullptr},
        LintCase{"paths_of_many", hosts("s3.amazonaws.com", ""), "multi-tenant-host", 4, 26,
                 "bucket"},
        LintCase{"private_refused",
                 "version: \"1\"\negress:\n  default_action: deny\n  private: false\n  "
                 "allowed_destinations: [10.1.2.3]\n",
                 "never-matches", 5, 26, "private: false"},
        LintCase{"port_80_means_https", hosts("{host: a.example.com, ports: [80]}", ""),
                 "never-matches", 4, 26, "http"},
        LintCase{"path_twice", tool(kReads + "      path_allowlist: [\"~/a/**\", \"~/a/**\"]\n"),
                 "duplicate-entry", 6, 34, "says again"},
        LintCase{"path_below", tool(kReads + "      path_allowlist: [\"~/a/**\", \"~/a/b/*.c\"]\n"),
                 "shadowed-entry", 6, 34, "adds nothing"},
        LintCase{"blocked_path_below_anywhere",
                 tool(kReads +
                      "      path_allowlist: [\"~/a/**\"]\n      path_blocklist: [\"~/x/.ssh/id\", "
                      "\"**/.SSH/**\"]\n"),
                 "shadowed-entry", 7, 24, "adds nothing"},
        LintCase{
            "beside_each_other",
            tool(kReads +
                 "      path_allowlist: [\"~/a/**\", \"~/b/**\", \"/srv/*/x\", \"/srv/y/*\"]\n"),
            nullptr},
        LintCase{"path_blocked_whole",
                 tool(kReads + "      path_allowlist: [\"/srv/keys/**\"]\n      path_blocklist: "
                               "[\"/srv/**\"]\n"),
                 "allow-cancelled", 6, 24, "always wins"},
        LintCase{"below_tmp", tool(kReads + "      path_allowlist: [\"/tmp/build/**\"]\n"),
                 "world-writable-root", 6, 24, "every user"},
        LintCase{"below_a_magic_link",
                 tool(kReads + "      path_allowlist: [\"/proc/self/root/**\"]\n"), "never-matches",
                 6, 24, "judged"},
        LintCase{"may_be_written_and_not_read",
                 tool(kReads +
                      "      path_allowlist: [\"/srv/**\"]\n      path_blocklist: [\"**/*.key\"]\n"
                      "    - name: write_file\n      path_allowlist: [\"/srv/**\"]\n      "
                      "path_blocklist: [\"**/.ssh/**\"]\n"),
                 "block-bypassed", 7, 24, "'/srv/x.key'"},
        LintCase{"interpreter", tool(kRuns + "      command_allowlist: [python3]\n"),
                 "interpreter-unpinned", 6, 27, "'python3 -c' to command_blocklist"},
        LintCase{
            "interpreter_pinned",
            tool(kRuns + "      command_allowlist: [python3]\n      command_blocklist: [\"python3 "
                         "-c\"]\n"),
            nullptr},
        LintCase{"project_code", tool(kRuns + "      command_allowlist: [make]\n"),
                 "runs-project-code", 6, 27, "note"},
        LintCase{"command_cancelled",
                 tool(kRuns + "      command_allowlist: [jq]\n      command_blocklist: [jq]\n"),
                 "allow-cancelled", 6, 27, "always wins"},
        LintCase{
            "same_job",
            tool(kRuns + "      command_allowlist: [dash]\n      command_blocklist: [\"bash -c\", "
                         "\"dash -c\", wget, curl]\n"),
            nullptr},
        LintCase{"other_shell",
                 tool(kRuns +
                      "      command_allowlist: [dash]\n      command_blocklist: [\"bash -c\"]\n"),
                 "block-bypassed", 7, 27, "'dash -c'"},
        LintCase{"command_block_twice",
                 tool(kRuns + "      command_allowlist: [jq]\n      command_blocklist: [rm, rm]\n"),
                 "duplicate-entry", 7, 31, "line 7"},
        LintCase{"command_block_below",
                 tool(kRuns +
                      "      command_allowlist: [jq]\n      command_blocklist: [\"rm -r\", rm]\n"),
                 "shadowed-entry", 7, 27, "'rm' on line 7"},
        LintCase{"no_server", tool("    - name: mcp_tool\n      servers: []\n"), "never-matches", 5,
                 13, "empty list"},
        LintCase{"tool_cancelled", tool("    - name: Task\n") + "  blocked_tools: [Task]\n",
                 "allow-cancelled", 5, 13, "always wins"},
        LintCase{"one_agents_name",
                 tool(kRuns + "      command_allowlist: [jq]\n") + "  blocked_tools: [Bash]\n",
                 "block-bypassed", 7, 19, "other agents"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(PolicyLint, EachRuleHasACaseThatFindsIt) {
  std::set<std::string> found;
  for (const auto& one : {hosts("a.example.com, a.example.com", "\"*.example.com\""),
                          hosts("\"*.com\", \"*.github.io\", {host: x.example, ports: [80]}",
                                "{host: a.com, ports: [80]}"),
                          tool(kReads + "      path_allowlist: [\"/tmp/**\", \"/tmp/a\"]\n" +
                               kRuns + "      command_allowlist: [python3, make]\n")}) {
    for (const Finding& finding : lint_text(one)) found.insert(finding.id);
  }
  for (const LintRule& rule : lint_rules()) {
    if (rule.id.starts_with("policy-")) continue;
    EXPECT_TRUE(found.contains(std::string(rule.id))) << rule.id;
  }
}

// docs/policy.md explains each of them.
TEST(PolicyLint, SaysOfTheShippedPoliciesWhatTheDocumentationExplains) {
  std::string golden;
  for (const char* name : {"lilith-policy.yaml", "starter-audit.yaml"}) {
    const PolicyLoad load = load_policy(
        test::read_text(std::string(LILITH_SOURCE_DIR) + "/rules/policies/" + name), name);
    ASSERT_NE(load.policy, nullptr);
    for (const Finding& one : lint(*load.policy)) golden += to_string(one) + "\n";
  }
  test::expect_golden("policy-lint.txt", golden);
}

TEST(PolicyLint, DocumentationNamesEachRule) {
  const std::string page = test::read_text(std::string(LILITH_SOURCE_DIR) + "/docs/policy.md");
  for (const LintRule& rule : lint_rules()) {
    EXPECT_THAT(page, HasSubstr("`" + std::string(rule.id) + "`"));
  }
}

TEST(PolicyLint, WritesSarif) {
  const std::string text = to_sarif(lint_text(hosts("\"*.com\"", "")), "1.2.3");
  json::Document document;
  const auto root = document.parse(text);
  ASSERT_TRUE(root.has_value()) << text;
  EXPECT_EQ(root->find("version")->string(), "2.1.0");
  for (const char* part : {R"("ruleId":"public-suffix")", R"("level":"warning")",
                           R"("startLine":4)", R"("startColumn":26)", R"("uri":"p.yaml")",
                           R"("name":"lilith policy check")", R"("version":"1.2.3")"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(PolicyLint, StaysQuickOnManyEntries) {
  std::string yaml = "version: \"1\"\negress:\n  default_action: deny\n  allowed_destinations:\n";
  for (int i = 0; i < 5000; ++i) yaml += "    - h" + std::to_string(i) + ".example.com\n";
  yaml +=
      "tool_invocations:\n  default_action: deny\n  allowed_tools:\n    - name: read_file\n"
      "      path_allowlist:\n";
  for (int i = 0; i < 5000; ++i) yaml += "        - ~/p" + std::to_string(i) + "/**\n";
  EXPECT_TRUE(lint_text(yaml).empty());
}

TEST(PublicSuffix, TellsRegistriesProvidersAndOwnersApart) {
  EXPECT_EQ(suffix_kind("com"), SuffixKind::kRegistry);
  EXPECT_EQ(suffix_kind("co.uk"), SuffixKind::kRegistry);
  EXPECT_EQ(suffix_kind("github.io"), SuffixKind::kProvider);
  EXPECT_EQ(suffix_kind("openai.com"), SuffixKind::kNone);
  EXPECT_EQ(suffix_kind("corp.internal"), SuffixKind::kNone);
  EXPECT_EQ(suffix_kind(""), SuffixKind::kNone);
}

}  // namespace
}  // namespace lilith::rules
