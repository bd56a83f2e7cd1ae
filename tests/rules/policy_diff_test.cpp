// `lilith policy diff`: what it says holds, by decide(), for given pairs and for random ones.

#include "rules/policy_diff.hpp"

#include "rules/lint.hpp"
#include "rules/pattern_cover.hpp"
#include "tests/rules/policy_generator.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace lilith::rules::test {
namespace {

const std::string kBase = R"(version: "1"
egress:
  default_action: deny
  allowed_destinations:
    - api.github.com
    - {host: "*.corp.example", ports: [443, 8443]}
  blocked_destinations: ["*.ngrok.io"]
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: read_file
      path_allowlist: ["~/work/**"]
      path_blocklist: ["**/.ssh/**"]
    - name: write_file
      path_allowlist: ["~/work/**"]
    - name: run_command
      command_allowlist: [git, npm]
      command_blocklist: [curl]
)";

struct DiffCase {
  const char* name;
  const char *from, *to;  // text of kBase replaced, for B
  PolicyRelation relation;
  bool proved;
};
void PrintTo(const DiffCase& c, std::ostream* out) { *out << c.name; }
class PolicyDiffs : public testing::TestWithParam<DiffCase> {};

std::shared_ptr<const Policy> load(const std::string& yaml, const char* name) {
  PolicyLoad loaded = load_policy(yaml, name);
  for (const Diagnostic& one : loaded.diagnostics) {
    if (one.severity == Severity::kError) ADD_FAILURE() << to_string(one);
  }
  return loaded.policy;
}

// Each example is decided again under both.
void expect_real(const PolicyDiff& diff, const Policy& a, const Policy& b) {
  for (const PolicyDifference& one : diff.differences) {
    const Decision in_a = decide_example(a, one.example), in_b = decide_example(b, one.example);
    EXPECT_NE(in_a.action, in_b.action) << describe(one.example);
    EXPECT_EQ(in_a.rule, one.a.rule);
    EXPECT_EQ(in_b.rule, one.b.rule);
    EXPECT_EQ(strictness(in_b) > strictness(in_a), one.narrower) << describe(one.example);
  }
}

TEST_P(PolicyDiffs, SayTheRelationWithRealExamples) {
  const DiffCase& c = GetParam();
  std::string changed = kBase;
  const std::size_t at = changed.find(c.from);
  ASSERT_NE(at, std::string::npos);
  changed.replace(at, std::string(c.from).size(), c.to);
  const auto a = load(kBase, "a.yaml"), b = load(changed, "b.yaml");
  ASSERT_TRUE(a && b);
  const PolicyDiff diff = diff_policies(*a, *b);
  EXPECT_EQ(name(diff.relation), name(c.relation)) << to_text(diff, *a, *b);
  EXPECT_EQ(diff.proved, c.proved) << to_text(diff, *a, *b);
  expect_real(diff, *a, *b);
  // The other way round it is the other way round.
  const PolicyDiff back = diff_policies(*b, *a);
  const PolicyRelation expected = c.relation == PolicyRelation::kNarrower ? PolicyRelation::kWider
                                  : c.relation == PolicyRelation::kWider ? PolicyRelation::kNarrower
                                                                         : c.relation;
  EXPECT_EQ(name(back.relation), name(expected)) << to_text(back, *b, *a);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, PolicyDiffs,
    testing::Values(
        DiffCase{"order", "[git, npm]", "[npm, git]", PolicyRelation::kEquivalent, true},
        DiffCase{"spelling", "[git, npm]", "[\"git\", npm] # both", PolicyRelation::kEquivalent,
                 true},
        DiffCase{"host_added", "    - api.github.com\n", "    - api.github.com\n    - a.example\n",
                 PolicyRelation::kWider, true},
        DiffCase{"host_removed", "    - api.github.com\n", "", PolicyRelation::kNarrower, true},
        DiffCase{"port_removed", "[443, 8443]", "[443]", PolicyRelation::kNarrower, false},
        DiffCase{"host_blocked", "[\"*.ngrok.io\"]", "[\"*.ngrok.io\", x.corp.example]",
                 PolicyRelation::kNarrower, true},
        DiffCase{"block_removed_from_what_is_not_allowed",
                 "  blocked_destinations: [\"*.ngrok.io\"]\n", "",
                 PolicyRelation::kNoDifferenceFound, false},
        DiffCase{"other_host", "api.github.com", "api.gitlab.com", PolicyRelation::kIncomparable,
                 true},
        DiffCase{"path_block", "[\"**/.ssh/**\"]", "[\"**/.ssh/**\", \"**/*.key\"]",
                 PolicyRelation::kNarrower, true},
        DiffCase{"path_wider", "[\"~/work/**\"]\n      path_blocklist",
                 "[\"~/**\"]\n      path_blocklist", PolicyRelation::kWider, false},
        DiffCase{"command_added", "[git, npm]", "[git, npm, make]", PolicyRelation::kWider, true},
        DiffCase{"hazard_allowed", "[git, npm]",
                 "[{name: git, allow_hazards: [command.exec_option]}, npm]", PolicyRelation::kWider,
                 true},
        DiffCase{"command_blocked", "[curl]", "[curl, \"git push\"]", PolicyRelation::kNarrower,
                 true},
        DiffCase{"tool_added", "    - name: run_command",
                 "    - name: Task\n    - name: run_command", PolicyRelation::kWider, true},
        DiffCase{"server_added", "    - name: run_command",
                 "    - {name: mcp_tool, servers: [tracker]}\n    - name: run_command",
                 PolicyRelation::kWider, true},
        DiffCase{"default_log", "tool_invocations:\n  default_action: deny",
                 "tool_invocations:\n  default_action: log", PolicyRelation::kWider, false},
        DiffCase{"default_allow", "egress:\n  default_action: deny",
                 "egress:\n  default_action: allow", PolicyRelation::kWider, false},
        DiffCase{"audit_mode", "version: \"1\"", "version: \"1\"\nmode: audit",
                 PolicyRelation::kWider, false},
        DiffCase{"protect", "version: \"1\"", "version: \"1\"\nprotect_agent_config: true",
                 PolicyRelation::kNarrower, false},
        DiffCase{"blocked_tool",
                 "    - name: run_command\n      command_allowlist: [git, npm]\n      "
                 "command_blocklist: [curl]\n",
                 "    - name: run_command\n      command_allowlist: [git, npm]\n      "
                 "command_blocklist: [curl]\n  blocked_tools: [WebFetch]\n",
                 PolicyRelation::kNarrower, true}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(PolicyDiff, PrintsBothSidesOfEachDifference) {
  std::string changed = kBase;
  changed.replace(changed.find("api.github.com"), 14, "api.gitlab.com");
  changed.replace(changed.find("[curl]"), 6, "[npm]");
  const auto a = load(kBase, "a.yaml"), b = load(changed, "b.yaml");
  ASSERT_TRUE(a && b);
  const PolicyDiff diff = diff_policies(*a, *b);
  lilith::test::expect_golden("policy-diff.txt", to_text(diff, *a, *b) + to_json(diff, *a, *b));
}

// Random pairs: one entry more or less, or two policies that have nothing to do with each other.
// The relation holds for every call of the vocabulary, which diff does not know.
TEST(PolicyDiff, SaysNothingOfRandomPoliciesThatACallDisproves) {
  int found = 0, proved = 0;
  for (int seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    const PolicySpec one = random_spec(random);
    PolicySpec other = seed % 3 == 0   ? random_spec(random)
                       : seed % 3 == 1 ? with_entry(one, allow_lists(), random)
                                       : with_entry(one, block_lists(), random);
    if (seed % 5 == 0) other = shuffled(one, random);
    const auto a = load_spec(one), b = load_spec(other);
    ASSERT_TRUE(a && b);
    const PolicyDiff diff = diff_policies(*a, *b);
    expect_real(diff, *a, *b);
    found += static_cast<int>(diff.differences.size());
    proved += diff.proved ? 1 : 0;
    bool narrower = false, wider = false;
    for (const Request& request : all_requests()) {
      const int before = strictness(decide_request(*a, request));
      const int after = strictness(decide_request(*b, request));
      narrower = narrower || after > before;
      wider = wider || after < before;
    }
    if (!diff.proved) continue;
    if (diff.relation == PolicyRelation::kEquivalent) {
      EXPECT_FALSE(narrower || wider);
    }
    if (diff.relation == PolicyRelation::kNarrower) {
      EXPECT_FALSE(wider) << to_text(diff, *a, *b);
    }
    if (diff.relation == PolicyRelation::kWider) {
      EXPECT_FALSE(narrower) << to_text(diff, *a, *b);
    }
  }
  EXPECT_GT(found, 0);
  EXPECT_GT(proved, 0);
}

// ---- lint agrees with decide()

std::string without_line(const std::string& text, int line) {
  std::string out;
  int number = 0;
  for (const std::string& one : lilith::test::lines_of(text)) {
    if (++number != line) out += one + "\n";
  }
  return out;
}

// An entry that lint calls useless can be taken out, and no call is decided otherwise.
TEST(PolicyLint, WhatItCallsUselessChangesNoDecision) {
  std::map<std::string, int> tried;
  for (int seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    const PolicySpec spec = random_spec(random);
    const std::string yaml = spec.yaml();
    const auto policy = load_spec(spec);
    ASSERT_NE(policy, nullptr);
    for (const Finding& finding : lint(*policy)) {
      if (finding.id != "shadowed-entry" && finding.id != "allow-cancelled" &&
          finding.id != "duplicate-entry") {
        continue;
      }
      // Each entry of the generator is a line of its own; a list that becomes empty is no list.
      const PolicyLoad without = load_policy(without_line(yaml, finding.line), "without.yaml");
      if (without.policy == nullptr) continue;
      ++tried[finding.id];
      for (const Request& request : all_requests()) {
        const Decision before = decide_request(*policy, request);
        const Decision after = decide_request(*without.policy, request);
        ASSERT_EQ(before.action, after.action) << to_string(finding) << "\n"
                                               << to_text(request) << "\n"
                                               << yaml;
      }
    }
  }
  EXPECT_GT(tried["shadowed-entry"], 10);
  EXPECT_GT(tried["allow-cancelled"], 5);
}

// ---- what lint calls covered is covered

TEST(PatternCover, WhatIsCoveredMatchesWhereverTheNarrowOneDoes) {
  const std::vector<std::string> parts{"a",     "b",    "*",     "**", "a*",
                                       "*.key", "[ab]", "x.key", "?",  "$USER"};
  Random random(7);
  const auto pattern = [&] {
    std::string out = random() % 4 == 0 ? "~" : random() % 4 == 0 ? "**" : "";
    for (auto n = 1 + random() % 3; n > 0; --n) out += "/" + parts[random() % parts.size()];
    return out;
  };
  std::vector<std::string> paths;
  const std::vector<std::string> names{"a", "b", "ab", "x.key", "dev", "c"};
  for (int i = 0; i < 400; ++i) {
    std::string path = random() % 3 == 0 ? "/home/dev" : "";
    for (auto n = 1 + random() % 3; n > 0; --n) path += "/" + names[random() % names.size()];
    paths.push_back(path);
  }
  const PatternUser user{"dev", "/home/dev"};
  int covered = 0;
  for (int i = 0; i < 4'000; ++i) {
    const std::string wide = pattern(), narrow = pattern();
    if (!covers(parts_of(wide), parts_of(narrow))) continue;
    ++covered;
    const auto w = PathPattern::parse(wide), n = PathPattern::parse(narrow);
    ASSERT_TRUE(w.has_value() && n.has_value()) << wide << " " << narrow;
    for (const std::string& path : paths) {
      if (n->matches(path, user)) {
        ASSERT_TRUE(w->matches(path, user)) << wide << " " << narrow << " " << path;
      }
    }
  }
  EXPECT_GT(covered, 50);
}

}  // namespace
}  // namespace lilith::rules::test
