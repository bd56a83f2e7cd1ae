// Shell lines with the whole decision under a policy that lists what developers use: what each
// trick is denied for, and that daily work is allowed.

#include "audit/json/reader.hpp"
#include "rules/decide.hpp"
#include "tests/shell/independent_sets.hpp"
#include "tests/shell/rows.hpp"
#include "tests/shell/verdict_rows.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <set>

namespace lilith {
namespace {

using rules::Decision;
using rules::Policy;
using test::VerdictRow;

std::shared_ptr<const Policy> load(const std::string& yaml) {
  rules::PolicyLoad loaded = rules::load_policy(yaml, "policy.yaml");
  for (const rules::Diagnostic& one : loaded.diagnostics) {
    if (one.severity == rules::Severity::kError) ADD_FAILURE() << to_string(one);
  }
  return loaded.policy;
}

const Policy& workshop() {
  static const std::shared_ptr<const Policy> policy =
      load(test::read_text(LILITH_SOURCE_DIR "/tests/shell/workshop.yaml"));
  return *policy;
}
// The brief's sample with nothing added to it.
const Policy& sample() {
  static const std::shared_ptr<const Policy> policy =
      load(test::read_text(LILITH_SOURCE_DIR "/rules/policies/lilith-policy.yaml"));
  return *policy;
}

Decision decided(const Policy& policy, std::string_view line,
                 std::string_view cwd = "/home/dev/projects/app") {
  audit::Call call;
  call.kind = audit::OperationKind::kRunCommand;
  call.command = line;
  const rules::CallAnalysis analysis = rules::analyse(call);
  const rules::UserRecord dev{"dev", 1000, "/home/dev"};
  return rules::decide(policy, {"claude_code", "Bash", ""}, analysis,
                       rules::observe(analysis, dev, cwd, rules::lexical_file_system()));
}

class Line : public testing::TestWithParam<VerdictRow> {};

TEST_P(Line, IsDecidedAsTheRowSays) {
  const VerdictRow& row = GetParam();
  const Decision decision = decided(workshop(), row.line);
  EXPECT_EQ(decision.reason_code, row.code) << decision.reason;
}

std::string row_name(const testing::TestParamInfo<VerdictRow>& info) {
  std::string name;
  for (const char c : std::string(info.param.group) + "_" + std::to_string(info.index)) {
    name.push_back(std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_');
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Trick, Line, testing::ValuesIn(test::verdict_rows()), row_name);
INSTANTIATE_TEST_SUITE_P(Daily, Line, testing::ValuesIn(test::daily_rows()), row_name);

// Under the sample policy no line of the reader's tables is allowed that names a program which the
// sample does not list.
TEST(SamplePolicy, AllowsNoRowWithAProgramItDoesNotList) {
  const std::set<std::string, std::less<>> closed{"curl", "wget", "evil", "sh",
                                                  "bash", "sudo", "eval"};
  std::size_t denied = 0;
  for (const test::ShellRow& row : test::attack_rows()) {
    const bool allowed = decided(sample(), row.line).verdict == audit::Verdict::kAllow;
    denied += allowed ? 0U : 1U;
    if (!allowed) continue;
    EXPECT_EQ(row.verdict, test::Verdict::kRuns) << row.line;
    for (const std::string& name : test::lines_of(std::string(row.expected))) {
      EXPECT_FALSE(closed.contains(name)) << row.line;
    }
  }
  std::cout << denied << " of " << test::attack_rows().size() << " rows of tricks are denied\n";
  EXPECT_GT(denied, 500U);
}

TEST(Rows, AreManyAndEachIsThereOnce) {
  std::set<std::string_view> lines;
  for (const auto rows : {test::verdict_rows(), test::daily_rows()}) {
    for (const VerdictRow& row : rows) {
      EXPECT_TRUE(lines.insert(row.line).second) << row.line;
      EXPECT_FALSE(row.source.empty()) << row.line;
    }
  }
  EXPECT_GE(test::attack_rows().size() + test::verdict_rows().size(), 900U);
  EXPECT_GE(test::benign_rows().size() + test::daily_rows().size(), 450U);
}

// Prints what docs/commands.md repeats.
TEST(IndependentSets, IsDecidedAsItsSectionsSay) {
  const auto policy =
      load(test::read_text(LILITH_SOURCE_DIR "/tests/shell/independent/policy.yaml"));
  std::set<std::string> seen;
  for (const std::string_view file : test::kIndependentSets) {
    std::size_t denied = 0;
    const std::vector<test::SetLine> lines = test::independent_set(file);
    for (const test::SetLine& one : lines) {
      const Decision decision = decided(*policy, one.line);
      const bool allowed = decision.verdict == audit::Verdict::kAllow;
      EXPECT_EQ(allowed, one.allow)
          << one.line << "\n  " << one.section << "\n  " << decision.reason;
      EXPECT_TRUE(seen.insert(one.line).second) << "twice: " << one.line;
      denied += allowed ? 0U : 1U;
    }
    std::cout << file << ": " << denied << " of " << lines.size() << " are denied\n";
    EXPECT_GT(lines.size(), 200U);
  }
}

// python3 -c is allowed by the sample, as python3 is; a policy can take it away.
TEST(Interpreters, TextOnTheLineCanBeBlocked) {
  EXPECT_EQ(decided(sample(), "python3 -c 'print(1)'").verdict, audit::Verdict::kAllow);
  const auto strict = load(
      "version: \"1\"\ntool_invocations:\n  default_action: deny\n  allowed_tools:\n"
      "    - name: run_command\n      command_allowlist: [python3, node, ls, xargs]\n"
      "      command_blocklist: [\"python3 -c\", \"node -e\", \"node --eval\", \"node -p\"]\n");
  for (const char* line : {"python3 -c 'print(1)'", "python3 -Ic 'print(1)'",
                           "python3 -c'print(1)'", "ls | python3 -c 'x'", "timeout 5 python3 -c x",
                           "node -e 1", "node --eval=1", "node -pe 1", "ls | xargs python3 -c"}) {
    EXPECT_EQ(decided(*strict, line).reason_code, "command.blocked") << line;
  }
  for (const char* line : {"python3 x.py -x", "python3 -m json.tool a", "node x.js"}) {
    EXPECT_EQ(decided(*strict, line).verdict, audit::Verdict::kAllow) << line;
  }
}

// ---- recorded calls: docs/commands.md repeats what these print

struct Recorded {
  std::string line, cwd, category;
};
std::vector<Recorded> recorded(const std::string& path) {
  std::vector<Recorded> calls;
  for (const std::string& text : test::lines_of(test::read_text(path))) {
    json::Document document;
    const auto root = document.parse(text);
    if (!root) {
      ADD_FAILURE() << "unreadable line in " << path;
      continue;
    }
    const std::string_view tool = root->text("tool");
    const auto input = root->find("input");
    if ((tool != "Bash" && tool != "run_shell_command") || !input) continue;
    if (const std::string_view command = input->text("command"); !command.empty()) {
      calls.push_back({std::string(command), std::string(root->text("cwd")),
                       std::string(root->text("category"))});
    }
  }
  return calls;
}

void print_counts(const char* title, const std::map<std::string, std::size_t>& counts) {
  std::vector<std::pair<std::size_t, std::string>> sorted;
  for (const auto& [what, count] : counts) sorted.emplace_back(count, what);
  std::sort(sorted.rbegin(), sorted.rend());
  std::cout << title << '\n';
  for (const auto& [count, what] : sorted) std::cout << "  " << count << "  " << what << '\n';
}

TEST(Report, ShareOfRecordedCallsThatAreDecided) {
  LILITH_NEEDS_SHARED(path, "data/claude_code_baseline.ndjson");
  const std::vector<Recorded> calls = recorded(path);
  ASSERT_EQ(calls.size(), 1'808U);
  std::map<std::string, std::size_t> undecided, hazards;
  std::size_t decided_calls = 0, clean = 0;
  for (const Recorded& call : calls) {
    const rules::CommandAnalysis analysis = rules::analyse_command(call.line);
    if (analysis.undecidable) {
      ++undecided[analysis.undecidable->code + ": " + analysis.undecidable->message];
      continue;
    }
    ++decided_calls;
    std::set<std::string> codes;
    for (const rules::Hazard& one : analysis.hazards) codes.insert(one.code);
    for (const rules::CommandUse& use : analysis.commands) {
      for (const rules::Hazard& one : use.hazards) codes.insert(one.code);
    }
    clean += codes.empty() ? 1U : 0U;
    for (const std::string& code : codes) ++hazards[code];
  }
  std::cout << decided_calls << " of " << calls.size() << " recorded shell calls are decided ("
            << static_cast<double>(decided_calls * 10'000 / calls.size()) / 100 << " %), " << clean
            << " of them by the lists alone\n";
  print_counts("undecidable:", undecided);
  print_counts("refused whatever the lists say:", hazards);
  EXPECT_GE(decided_calls * 100, calls.size() * 99);
  EXPECT_GE(clean * 100, calls.size() * 99);
}

// The oracle runs those that are allowed (shell_oracle_test); all of them are of the categories of
// RedCode that are faulty code and start no program.
TEST(Report, AttackScriptsUnderTheSamplePolicy) {
  LILITH_NEEDS_SHARED(path, "data/attack_commands_sample.ndjson");
  const std::vector<Recorded> calls = recorded(path);
  ASSERT_EQ(calls.size(), 100U);
  const std::set<std::string> faulty_code{"redcode-exec-15", "redcode-exec-16", "redcode-exec-22",
                                          "redcode-exec-23", "redcode-exec-25"};
  std::map<std::string, std::size_t> outcomes;
  for (const Recorded& call : calls) {
    const Decision decision = decided(sample(), call.line);
    ++outcomes[decision.verdict == audit::Verdict::kAllow ? "allowed" : decision.reason_code];
    if (decision.verdict != audit::Verdict::kAllow) continue;
    EXPECT_TRUE(faulty_code.contains(call.category)) << call.category << ": " << call.line;
  }
  print_counts("100 attack scripts under the sample policy:", outcomes);
  EXPECT_LE(outcomes["allowed"], 20U);
}

}  // namespace
}  // namespace lilith
