#include "rules/policy.hpp"

#include "audit/json/reader.hpp"
#include "rules/policy_keys.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <random>
#include <regex>
#include <set>

namespace lilith::rules {
namespace {

using testing::HasSubstr;

const std::string kGood =
    "version: \"1\"\n"                                                               // 1
    "mode: enforce\n"                                                                // 2
    "agent_hooks: [claude_code, gh-copilot-cli]\n"                                   // 3
    "egress:\n"                                                                      // 4
    "  default_action: deny\n"                                                       // 5
    "  allowed_destinations:\n"                                                      // 6
    "    - host: \"api.github.com\"\n"                                               // 7
    "      ports: [443]\n"                                                           // 8
    "      protocols: [https]\n"                                                     // 9
    "  blocked_destinations:\n"                                                      // 10
    "    - {host: \"evil.example\", always_block: true}\n"                           // 11
    "tool_invocations:\n"                                                            // 12
    "  default_action: deny\n"                                                       // 13
    "  allowed_tools:\n"                                                             // 14
    "    - name: read_file\n"                                                        // 15
    "      path_allowlist: [\"/home/$USER/**\"]\n"                                   // 16
    "    - name: run_command\n"                                                      // 17
    "      command_allowlist: [git]\n"                                               // 18
    "      command_blocklist: [curl, {pattern: \"bash -c\", always_block: true}]\n"  // 19
    "audit:\n"                                                                       // 20
    "  log_path: /var/log/lilith/agent-audit.log\n";                                 // 21

TEST(Policy, LoadsTheShippedOnes) {
  for (const char* name : {"lilith-policy.yaml", "starter-audit.yaml"}) {
    // Under a name of its own: a checkout below /tmp would earn a warning that agents may write it.
    const PolicyLoad load = load_policy(
        test::read_text(std::string(LILITH_SOURCE_DIR) + "/rules/policies/" + name), name);
    EXPECT_NE(load.policy, nullptr);
    for (const Diagnostic& one : load.diagnostics) ADD_FAILURE() << to_string(one);
  }
}

TEST(Policy, LoadsTheBriefsSampleUnchanged) {
  LILITH_NEEDS_SHARED(path, "data/lilith-policy.yaml");
  const PolicyLoad load = load_policy_file(path);
  ASSERT_NE(load.policy, nullptr);
  EXPECT_EQ(load.diagnostics.size(), 1U) << "write_file without a block list";
  EXPECT_TRUE(load.policy->enforces());
  EXPECT_EQ(load.policy->audit().log_path, "/var/log/lilith/agent-audit.log");
}

TEST(Policy, LoadsTheGoodOneWithoutAWord) {
  const PolicyLoad load = load_policy(kGood, "p.yaml");
  for (const Diagnostic& one : load.diagnostics) ADD_FAILURE() << to_string(one);
  ASSERT_NE(load.policy, nullptr);
  EXPECT_EQ(load.policy->sha256().size(), 64U);
}

struct BadPolicy {
  const char* name;
  std::string from, to;
  int line, column;
  const char* says;
};
void PrintTo(const BadPolicy& c, std::ostream* out) { *out << c.name; }
class PolicyRefuses : public testing::TestWithParam<BadPolicy> {};
TEST_P(PolicyRefuses, WithPlaceAndRemedy) {
  std::string text = kGood;
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, GetParam().from.size(), GetParam().to);
  const PolicyLoad load = load_policy(text, "p.yaml");
  EXPECT_EQ(load.policy, nullptr);
  const auto found =
      std::find_if(load.diagnostics.begin(), load.diagnostics.end(),
                   [](const Diagnostic& one) { return one.severity == Severity::kError; });
  ASSERT_NE(found, load.diagnostics.end());
  EXPECT_EQ(found->line, GetParam().line) << to_string(*found);
  EXPECT_EQ(found->column, GetParam().column) << to_string(*found);
  EXPECT_THAT(found->message, HasSubstr(GetParam().says));
  EXPECT_THAT(to_string(*found), HasSubstr("p.yaml:" + std::to_string(GetParam().line) + ":"));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, PolicyRefuses,
    testing::Values(
        BadPolicy{"empty_file", kGood, "", 1, 1, "empty"},
        BadPolicy{"comment_only", kGood, "# nothing\n", 1, 1, "empty"},
        BadPolicy{"list_at_top", kGood, "- a\n", 1, 1, "must be a map"},
        BadPolicy{"no_version", "version: \"1\"\n", "", 1, 1, "needs version"},
        BadPolicy{"other_version", "\"1\"", "\"2\"", 1, 10, "version must be \"1\""},
        BadPolicy{"fraction_version", "\"1\"", "1.0", 1, 10, "version must be \"1\""},
        BadPolicy{"unknown_mode", "mode: enforce", "mode: enforced", 2, 7,
                  "did you mean 'enforce'?"},
        BadPolicy{"unknown_agent", "claude_code", "claude_cod", 3, 15,
                  "did you mean 'claude_code'?"},
        BadPolicy{"unknown_key", "mode:", "mod:", 2, 1, "did you mean 'mode'?"},
        BadPolicy{"unknown_egress_key", "allowed_destinations", "allowed_destination", 6, 3,
                  "did you mean 'allowed_destinations'?"},
        BadPolicy{"duplicate_key", "mode: enforce", "mode: enforce\nmode: audit", 3, 1,
                  "stands twice"},
        BadPolicy{"merge_key", "  default_action: deny\n  allowed_dest",
                  "  <<: {default_action: allow}\n  allowed_dest", 5, 3, "merge keys"},
        BadPolicy{"second_document", "audit:\n", "---\naudit:\n", 20, 1, "second document"},
        BadPolicy{"foreign_tag", "mode: enforce", "mode: !evil enforce", 2, 7, "tag"},
        BadPolicy{"missing_default_action", "egress:\n  default_action: deny\n", "egress:\n", 5, 3,
                  "needs default_action"},
        BadPolicy{"default_action_case", "default_action: deny\n  allowed_dest",
                  "default_action: Deny\n  allowed_dest", 5, 19, "deny, log, allow"},
        BadPolicy{"octal_port", "[443]", "[0673]", 8, 15, "decimal without leading zeros"},
        BadPolicy{"hex_port", "[443]", "[0x1bb]", 8, 15, "decimal"},
        BadPolicy{"signed_port", "[443]", "[+443]", 8, 15, "decimal"},
        BadPolicy{"port_zero", "[443]", "[0]", 8, 15, "1-65535"},
        BadPolicy{"port_too_large", "[443]", "[65536]", 8, 15, "at most 65535"},
        BadPolicy{"empty_ports", "[443]", "[]", 8, 14, "empty list"},
        BadPolicy{"unknown_protocol", "[https]", "[htps]", 9, 19, "unknown protocol"},
        BadPolicy{"bad_host", "api.github.com", "api github.com", 7, 13, "no host has"},
        BadPolicy{"wildcard_inside", "api.github.com", "api.*.com", 7, 13, "no host has"},
        BadPolicy{"bad_boolean", "always_block: true", "always_block: on", 11, 44, "true or false"},
        BadPolicy{"empty_pattern", "\"/home/$USER/**\"", "\"\"", 16, 24, "empty"},
        BadPolicy{"unknown_variable", "$USER", "$NAME", 16, 24, "only $USER"},
        BadPolicy{"braces", "$USER/**", "{a,b}/**", 16, 24, "one entry for each"},
        BadPolicy{"relative_pattern", "\"/home/$USER/**\"", "secrets", 16, 24,
                  "did you mean '**/secrets'?"},
        BadPolicy{"open_class", "$USER/**", "[a/**", 16, 24, "not closed"},
        BadPolicy{"command_with_option", "command_allowlist: [git]",
                  "command_allowlist: [\"git status\"]", 18, 27, "one program name"},
        BadPolicy{"command_twice", "command_allowlist: [git]", "command_allowlist: [git, git]", 18,
                  32, "twice"},
        BadPolicy{"tool_twice", "name: run_command", "name: read_file", 17, 13, "stands twice"},
        BadPolicy{"tool_without_name", "- name: read_file\n      path", "- path", 15, 7,
                  "needs a name"},
        BadPolicy{"scalar_for_list", "command_allowlist: [git]", "command_allowlist: git", 18, 26,
                  "must be a list"},
        BadPolicy{"audit_off", "  log_path:", "  enabled: false\n  log_path:", 21, 12,
                  "refused in enforce mode"},
        BadPolicy{"log_denied_off", "  log_path:", "  log_denied: false\n  log_path:", 21, 15,
                  "refused in enforce mode"},
        BadPolicy{"relative_log", "/var/log", "var/log", 21, 13, "absolute"},
        BadPolicy{"control_byte", "mode: enforce", "mode: enf\x01orce", 2, 10, "control character"},
        BadPolicy{"bidi_control", "mode: enforce",
                  "mode: \xE2\x80\xAE"
                  "enforce",
                  2, 7, "invisible"},
        BadPolicy{"invalid_utf8", "mode: enforce", "mode: \xFF", 2, 1, "UTF-8"},
        BadPolicy{"byte_order_mark", "version", "\xEF\xBB\xBFversion", 1, 1, "byte order mark"},
        BadPolicy{"not_yaml", "mode: enforce", "mode: [enforce", 3, 12, "not YAML"},
        BadPolicy{"self_reference", "mode: enforce", "tool_aliases: &a {x: *a}", 2, 22,
                  "inside its own anchor"},
        BadPolicy{"tcp_without_ports", "      ports: [443]\n      protocols: [https]",
                  "      protocols: [tcp]", 7, 13, "needs ports"},
        BadPolicy{"block_with_host_bits", "evil.example", "10.1.2.3/8", 11, 14,
                  "behind its prefix"},
        BadPolicy{"prefix_too_long", "evil.example", "10.0.0.0/33", 11, 14, "0-32"},
        BadPolicy{"two_hosts", "host: \"evil.example\"", "host: a.example, pattern: b.example", 11,
                  25, "one host"},
        BadPolicy{"unknown_block_key", "always_block: true", "always_blocked: true", 11, 30,
                  "did you mean 'always_block'?"},
        BadPolicy{"pattern_missing", "{pattern: \"bash -c\", always_block: true}",
                  "{always_block: true}", 19, 33, "needs a pattern"},
        BadPolicy{"paths_of_a_command_tool", "command_allowlist: [git]",
                  "path_allowlist: [\"/x/**\"]", 18, 7, "belongs to read_file and write_file"},
        BadPolicy{"commands_of_a_path_tool", "path_allowlist: [\"/home/$USER/**\"]",
                  "command_blocklist: [curl]", 16, 7, "belongs to run_command"},
        BadPolicy{"arguments_of_a_command_tool", "command_allowlist: [git]", "arguments: {a: b}",
                  18, 7, "belongs to MCP tools"},
        BadPolicy{"servers_of_a_path_tool", "path_allowlist: [\"/home/$USER/**\"]", "servers: [a]",
                  16, 7, "belongs to MCP tools"},
        BadPolicy{"paths_of_another_tool", "name: read_file", "name: TodoWrite", 16, 7,
                  "'TodoWrite' never asks it"},
        BadPolicy{"egress_as_a_tool",
                  "- name: read_file\n      path_allowlist: [\"/home/$USER/**\"]", "- name: egress",
                  15, 13, "egress section"},
        BadPolicy{"server_wildcard",
                  "- name: read_file\n      path_allowlist: [\"/home/$USER/**\"]",
                  "- {name: mcp_tool, servers: [\"a*\"]}", 15, 34, "exact name"},
        BadPolicy{"two_names", "name: read_file", "name: read_file\n      name: write_file", 16, 7,
                  "stands twice"},
        BadPolicy{"unknown_hazard", "[git]", "[{name: git, allow_hazards: [command.exec_opton]}]",
                  18, 55, "did you mean 'command.exec_option'?"},
        BadPolicy{"alias_to_nothing", "audit:\n", "tool_aliases: {x: reads}\naudit:\n", 20, 19,
                  "no canonical operation"},
        BadPolicy{"two_names_in_a_pattern", "$USER/**", "$USER/$HOME", 16, 24, "only $USER"},
        BadPolicy{"quoted_boolean", "always_block: true", "always_block: \"true\"", 11, 44,
                  "true or false"},
        BadPolicy{"yes_boolean", "audit:\n", "allow_user_policy: yes\naudit:\n", 20, 20,
                  "true or false"},
        BadPolicy{"utf_16", kGood, std::string("\xFF\xFEv\0", 4), 1, 1, "byte order mark"},
        BadPolicy{"log_format", "  log_path:", "  log_format: cef\n  log_path:", 21, 15,
                  "must be json"},
        BadPolicy{"rotate_key", "  log_path:", "  rotate: {max_byte: 1}\n  log_path:", 21, 12,
                  "did you mean 'max_bytes'?"},
        BadPolicy{"shipper_state", "  log_path:", "  rotate: {shipper_state: ship}\n  log_path:",
                  21, 27, "absolute path"},
        BadPolicy{"seal_without_key", "  log_path:", "  seal: {events: 9}\n  log_path:", 21, 9,
                  "audit.seal needs a key"},
        BadPolicy{"seal_key_relative", "  log_path:", "  seal: {key: seal.key}\n  log_path:", 21,
                  15, "audit.seal.key must be an absolute path"},
        BadPolicy{"seal_unbounded",
                  "  log_path:", "  seal: {key: /k, events: 0, seconds: 0}\n  log_path:", 21, 9,
                  "audit.seal needs a bound"},
        BadPolicy{"seal_age", "  log_path:", "  seal: {key: /k, seconds: 9999999}\n  log_path:", 21,
                  28, "seconds must be a whole number of at most 2592000"},
        BadPolicy{"quota_key", "  log_path:", "  quota: {max_byte: 1}\n  log_path:", 21, 11,
                  "did you mean 'max_bytes'?"},
        BadPolicy{"quota_that_one_file_fills",
                  "  log_path:", "  quota: {max_bytes: 100000000}\n  log_path:", 21, 10,
                  "at least twice audit.rotate.max_bytes (67108864)"},
        BadPolicy{"quota_without_rotation", "  log_path:",
                  "  rotate: {max_bytes: 0}\n  quota: {max_bytes: 100000000}\n  log_path:", 22, 10,
                  "needs rotation"},
        BadPolicy{"no_space_behind_the_colon", "mode: enforce", "mode:enforce", 2, 1, "not YAML"},
        BadPolicy{
            "log_writable_by_the_agent", "- name: run_command",
            "- name: write_file\n      path_allowlist: [\"/var/**\"]\n    - name: run_command", 23,
            13, "audit log itself"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(Policy, ReportsAllProblemsAtOnceInFileOrder) {
  const PolicyLoad load =
      load_policy("version: 3\nmod: x\negress: {default_action: no, what: 1}\n", "p.yaml");
  std::vector<int> lines;
  for (const Diagnostic& one : load.diagnostics) {
    if (one.severity == Severity::kError) lines.push_back(one.line);
  }
  EXPECT_EQ(lines, (std::vector<int>{1, 2, 3, 3}));
}

// A mistake that leaves the tree readable hides no other.
TEST(Policy, ReportsYamlAndSchemaProblemsTogether) {
  const PolicyLoad load = load_policy(
      "version: \"1\"\nmode: audit\nmode: !x audit\nfoo: 1\negress: {default_action: no, <<: {}}\n",
      "p.yaml");
  EXPECT_EQ(load.policy, nullptr);
  std::vector<std::pair<int, int>> places;
  for (const Diagnostic& one : load.diagnostics) {
    if (one.severity == Severity::kError) places.emplace_back(one.line, one.column);
  }
  EXPECT_EQ(places, (std::vector<std::pair<int, int>>{{3, 1}, {3, 7}, {4, 1}, {5, 26}, {5, 30}}));
}

struct LintCase {
  const char* name;
  std::string from, to;
  int line;
  const char* says;
};
void PrintTo(const LintCase& c, std::ostream* out) { *out << c.name; }
class PolicyWarns : public testing::TestWithParam<LintCase> {};
TEST_P(PolicyWarns, AndLoads) {
  std::string text = kGood;
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, GetParam().from.size(), GetParam().to);
  const PolicyLoad load = load_policy(text, "/home/dev/work/p.yaml");
  for (const Diagnostic& one : load.diagnostics) {
    EXPECT_EQ(one.severity, Severity::kWarning) << to_string(one);
  }
  ASSERT_NE(load.policy, nullptr);
  ASSERT_EQ(load.diagnostics.size(), 1U);
  EXPECT_EQ(load.diagnostics[0].line, GetParam().line) << to_string(load.diagnostics[0]);
  EXPECT_THAT(load.diagnostics[0].message, HasSubstr(GetParam().says));
}
INSTANTIATE_TEST_SUITE_P(
    Cases, PolicyWarns,
    testing::Values(
        LintCase{"no_path_allowlist", "      path_allowlist: [\"/home/$USER/**\"]\n", "", 15,
                 "allows nothing"},
        LintCase{"every_path", "/home/$USER/**", "**", 16, "every path"},
        LintCase{"no_command_allowlist", "      command_allowlist: [git]\n", "", 17,
                 "allows nothing"},
        LintCase{"reads_are_blocked_and_writes_not", "    - name: run_command",
                 "      path_blocklist: [\"**/.ssh/**\"]\n    - name: write_file\n      "
                 "path_allowlist: [\"/srv/**\"]\n    - name: run_command",
                 18, "own tool only"},
        LintCase{"agents_own_name", "    - name: run_command",
                 "    - name: Bash\n    - name: run_command", 17, "is an agent's own name"},
        LintCase{"policy_writable_by_the_agent", "    - name: run_command",
                 "    - name: write_file\n      path_allowlist: [\"/home/$USER/work/**\"]\n    - "
                 "name: run_command",
                 17, "this policy itself"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(Policy, AuditModeTakesALogThatHidesNothingWithAWarning) {
  const PolicyLoad load = load_policy(
      "version: \"1\"\nmode: audit\negress: {default_action: deny}\ntool_invocations: "
      "{default_action: "
      "deny}\naudit:\n  log_denied: false\n",
      "p.yaml");
  ASSERT_NE(load.policy, nullptr);
  EXPECT_FALSE(load.policy->enforces());
  ASSERT_EQ(load.diagnostics.size(), 1U);
  EXPECT_EQ(load.diagnostics[0].line, 6);
  EXPECT_THAT(load.diagnostics[0].message, HasSubstr("changes nothing"));
}

TEST(Policy, SaysWhyAFileCannotBeRead) {
  const PolicyLoad missing = load_policy_file("/no/such/policy.yaml");
  EXPECT_EQ(missing.policy, nullptr);
  ASSERT_EQ(missing.diagnostics.size(), 1U);
  EXPECT_THAT(to_string(missing.diagnostics[0]), HasSubstr("/no/such/policy.yaml"));
  const PolicyLoad large = load_policy(std::string(limits::kPolicyBytesMax + 1, '#'), "p.yaml");
  EXPECT_EQ(large.policy, nullptr);
  ASSERT_EQ(large.diagnostics.size(), 1U);
  EXPECT_THAT(large.diagnostics[0].message, HasSubstr("larger than"));
}

TEST(Policy, RefusesAnAliasBomb) {
  std::string text = "version: \"1\"\ntool_aliases:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    text += "  a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int n = 0; n < 10; ++n) text += (n == 0 ? "" : ", ") + previous;
    text += "]\n";
  }
  const PolicyLoad load = load_policy(text, "p.yaml");
  EXPECT_EQ(load.policy, nullptr);
  ASSERT_FALSE(load.diagnostics.empty());
  EXPECT_THAT(load.diagnostics[0].message, HasSubstr("expands to more than"));
}

// Nested anchors are copies of copies: some kilobytes of text would become gigabytes.
TEST(Policy, RefusesNestedAnchorsThatMultiply) {
  std::string text = "version: \"1\"\ntool_aliases:\n  x: ";
  for (int i = 0; i < 50; ++i) text += "&a" + std::to_string(i) + " [";
  for (int i = 0; i < 1000; ++i) text += i == 0 ? "x" : ",x";
  const PolicyLoad load = load_policy(text + std::string(50, ']') + "\n", "p.yaml");
  EXPECT_EQ(load.policy, nullptr);
  const bool said =
      std::any_of(load.diagnostics.begin(), load.diagnostics.end(), [](const Diagnostic& one) {
        return one.message.find("expands to more than") != std::string::npos;
      });
  EXPECT_TRUE(said);
}

TEST(Policy, RefusesDeepNesting) {
  for (const char* bracket : {"[", "{x: "}) {
    std::string text = "version: \"1\"\ntool_aliases: ";
    for (int i = 0; i < 100'000; ++i) text += bracket;
    const PolicyLoad load = load_policy(text + "\n", "p.yaml");
    EXPECT_EQ(load.policy, nullptr);
    ASSERT_FALSE(load.diagnostics.empty());
    EXPECT_THAT(load.diagnostics[0].message, HasSubstr("nested more than"));
  }
}

TEST(Policy, RefusesLineEndsThatOnlyAParserSees) {
  const PolicyLoad load = load_policy(
      "version: \"1\"\n# \xE2\x80\xA8mode: audit\negress: {default_action: deny}\n", "p");
  EXPECT_EQ(load.policy, nullptr);
  ASSERT_FALSE(load.diagnostics.empty());
  EXPECT_EQ(load.diagnostics[0].line, 2);
  EXPECT_THAT(load.diagnostics[0].message, HasSubstr("invisible"));
}

TEST(Policy, SurvivesRandomDamage) {
  std::mt19937 random(11);
  for (int i = 0; i < 3000; ++i) {
    std::string text = kGood;
    for (auto n = 1 + random() % 3; n > 0; --n)
      text[random() % text.size()] = static_cast<char>(random());
    const PolicyLoad load = load_policy(text, "p.yaml");
    const bool failed =
        std::any_of(load.diagnostics.begin(), load.diagnostics.end(),
                    [](const Diagnostic& one) { return one.severity == Severity::kError; });
    EXPECT_EQ(load.policy == nullptr, failed);
  }
}

std::set<std::string> all_of(const std::string& text, const std::string& expression) {
  std::set<std::string> out;
  const std::regex wanted(expression);
  for (std::sregex_iterator at(text.begin(), text.end(), wanted), end; at != end; ++at) {
    out.insert((*at)[1]);
  }
  return out;
}

// docs/policy.md is the reference: every key, every reason code of the sources and every protected
// file stands in it, and no code that the sources do not have.
TEST(PolicyDocs, NameEveryKeyCodeAndProtectedFile) {
  const std::string source = LILITH_SOURCE_DIR;
  const std::string page = test::read_text(source + "/docs/policy.md");
  for (const KeyList keys : {kTopKeys, kEgressKeys, kAllowedHostKeys, kBlockedHostKeys,
                             kToolSectionKeys, kAllowedToolKeys, kBlockedToolKeys, kBlockEntryKeys,
                             kCommandAllowKeys, kAuditKeys, kRotateKeys, kQuotaKeys, kSealKeys}) {
    for (const std::string_view key : keys) {
      EXPECT_THAT(page, testing::ContainsRegex("[`{]" + std::string(key) + "[`:]")) << key;
    }
  }
  std::string code;
  for (const char* file : {"judge.cpp", "judge_commands.cpp", "judge_egress.cpp", "judge_paths.cpp",
                           "judge_tools.cpp", "path.cpp"}) {
    code += test::read_text(source + "/rules/" + file);
  }
  for (const auto& file : std::filesystem::directory_iterator(source + "/rules/shell")) {
    code += test::read_text(file.path().string());
  }
  const std::string word = "((?:call|command|egress|mcp|path|tool)[.][a-z_]+)";
  std::set<std::string> in_sources = all_of(code, "\"" + word + "[\":]");
  in_sources.erase("command.builtin");  // a rule, no code
  EXPECT_GT(in_sources.size(), 40U);
  const std::size_t table = page.find("| code | meaning");
  ASSERT_NE(table, std::string::npos);
  const std::string rows = page.substr(table, page.find("Failures of the hook", table) - table);
  EXPECT_EQ(all_of(rows, "`" + word + "`"), in_sources);
  const std::string policy = test::read_text(source + "/rules/policy.cpp");
  for (const std::string& pattern : all_of(policy, "\"([*][*]/[^\"]+)\"")) {
    EXPECT_THAT(page, HasSubstr("`" + pattern + "`"));
  }
}

// The schema that the program prints and the loader's own key lists say the same.
TEST(PolicySchema, NamesExactlyTheKeysThatTheLoaderKnows) {
  json::Document document;
  const auto schema = document.parse(policy_json_schema());
  ASSERT_TRUE(schema.has_value()) << schema.error().message;
  std::set<std::string> in_schema;
  const std::function<void(json::View)> walk = [&](json::View node) {
    if (const auto properties = node.find("properties")) {
      properties->each_member([&](std::string_view key, json::View) {
        in_schema.emplace(key);
        return true;
      });
    }
    node.each_member([&](std::string_view, json::View value) {
      walk(value);
      return true;
    });
    node.each_element([&](json::View value) {
      walk(value);
      return true;
    });
  };
  walk(*schema);
  std::set<std::string> in_loader;
  for (const KeyList keys : {kTopKeys, kEgressKeys, kAllowedHostKeys, kBlockedHostKeys,
                             kToolSectionKeys, kAllowedToolKeys, kBlockedToolKeys, kBlockEntryKeys,
                             kCommandAllowKeys, kAuditKeys, kRotateKeys, kQuotaKeys, kSealKeys}) {
    for (const std::string_view key : keys) in_loader.emplace(key);
  }
  EXPECT_EQ(in_schema, in_loader);
}

}  // namespace
}  // namespace lilith::rules
