// The front door: help, typing errors, exit codes (docs/exit-codes.md).

#include "audit/json/reader.hpp"
#include "tests/enforcer/hook_fixture.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <ostream>

namespace lilith::test {
namespace {

struct CliCase {
  const char* name;
  const char* line;  // a shell line in a folder with policy.yaml, bad.yaml and a log
  int exit_code;
  const char* said;  // somewhere in the output
};
void PrintTo(const CliCase& c, std::ostream* out) { *out << c.name; }

class Cli : public testing::TestWithParam<CliCase> {};
TEST_P(Cli, SaysItAndExitsSo) {
  const CliCase& c = GetParam();
  const HookFolder folder;
  folder.write_policy();
  write_text(folder.file("bad.yaml"), "version: \"1\"\negres: {}\n");
  ASSERT_EQ(folder.hook(git_event()).exit_code, 0);
  ASSERT_EQ(folder.hook(claude_event("Bash", R"({"command":"make"})")).exit_code, 2);
  const auto result = folder.shell(c.line);
  EXPECT_EQ(result.exit_code, c.exit_code) << result.out << result.err;
  EXPECT_NE((result.out + result.err).find(c.said), std::string::npos) << result.out << result.err;
}
INSTANTIATE_TEST_SUITE_P(
    All, Cli,
    testing::Values(
        CliCase{"help", "$LILITH --help", 0, "usage: lilith COMMAND"},
        CliCase{"no_command", "$LILITH", 2, "usage: lilith COMMAND"},
        CliCase{"version", "$LILITH --version", 0, "lilith 0."},
        CliCase{"hook_help", "$LILITH hook --help", 0, "--on-error"},
        CliCase{"policy_help", "$LILITH policy check --help", 0, "--json"},
        CliCase{"typing_error", "$LILITH verfy x", 2, "did you mean verify?"},
        CliCase{"unknown_option", "$LILITH verify --nope log/agent-audit.log", 2, "--nope"},
        CliCase{"policy_without_verb", "$LILITH policy", 2, "lilith:"},
        CliCase{"policy_valid", "$LILITH policy check policy.yaml", 0, "policy.yaml: valid"},
        CliCase{"policy_with_errors", "$LILITH policy check policy.yaml bad.yaml", 1,
                "bad.yaml:2:1: error"},
        CliCase{"policy_missing", "$LILITH policy check none.yaml", 3, "none.yaml"},
        CliCase{"policy_json", "$LILITH policy check --json bad.yaml", 1, R"("valid":false)"},
        CliCase{"policy_schema", "$LILITH policy schema", 0, "json-schema.org"},
        CliCase{"explain_allowed", "$LILITH policy explain policy.yaml --command 'git status'", 0,
                "allowed: run_command git"},
        CliCase{"explain_denied", "$LILITH policy explain policy.yaml --command 'git log | curl y'",
                1, "command_blocklist"},
        CliCase{"explain_path", "$LILITH policy explain policy.yaml --path /etc/passwd", 1,
                "denied: read_file /etc/passwd"},
        CliCase{"explain_url", "$LILITH policy explain policy.yaml --url https://ok.example/x", 0,
                "allowed: egress ok.example"},
        CliCase{"explain_other_agent",
                "$LILITH policy explain policy.yaml --agent copilot-cli --command 'git log'", 0,
                "allowed: run_command git"},
        CliCase{"explain_stdin",
                "echo '{\"file_path\":\"/etc/x\"}' | $LILITH policy explain policy.yaml --agent "
                "claude-code --tool Write --json",
                1, R"("decision":"deny")"},
        CliCase{"explain_bad_stdin", "echo '{' | $LILITH policy explain policy.yaml --tool Bash", 2,
                "standard input"},
        CliCase{"explain_bad_policy", "$LILITH policy explain bad.yaml --command git", 2,
                "bad.yaml:2:1"},
        CliCase{"policy_sarif", "$LILITH policy check --sarif policy.yaml bad.yaml", 1,
                R"("ruleId":"policy-error")"},
        CliCase{"policy_strict",
                "sed 's/git\\b/python3/' policy.yaml >p.yaml; $LILITH policy check --strict p.yaml",
                1, "[interpreter-unpinned]"},
        CliCase{"explain_change", "$LILITH policy explain policy.yaml --command 'make all'", 1,
                "command_allowlist:\n          - make"},
        CliCase{"explain_event",
                "$LILITH policy explain policy.yaml --log log/agent-audit.log --event $(sed -n "
                "'s/.*\"id\":\"\\([0-9a-f-]*\\)\".*\"make\".*/\\1/p' log/agent-audit.log)",
                1, "denied: run_command make"},
        CliCase{"explain_no_such_event",
                "$LILITH policy explain policy.yaml --log log/agent-audit.log --event x", 2,
                "no event x"},
        CliCase{"explain_event_without_log", "$LILITH policy explain policy.yaml --event x", 2,
                "--log"},
        CliCase{
            "explain_hook_event",
            "echo '{\"hook_event_name\":\"PreToolUse\",\"session_id\":\"s\",\"cwd\":\"/srv\","
            "\"tool_name\":\"Bash\",\"tool_input\":{\"command\":\"git log\"}}' | $LILITH policy "
            "explain policy.yaml",
            0, "allowed: run_command git"},
        CliCase{"explain_no_hook_event", "echo '{}' | $LILITH policy explain policy.yaml", 2,
                "no hook event"},
        CliCase{"diff_equivalent", "$LILITH policy diff policy.yaml policy.yaml", 0, "equivalent"},
        CliCase{
            "diff_differs",
            "sed 's/ok.example/no.example/' policy.yaml >p.yaml; $LILITH policy diff policy.yaml "
            "p.yaml",
            1, "incomparable"},
        CliCase{"diff_json", "$LILITH policy diff --json policy.yaml policy.yaml", 0,
                R"("relation":"equivalent")"},
        CliCase{"diff_bad_policy", "$LILITH policy diff policy.yaml bad.yaml", 2, "bad.yaml:2:1"},
        CliCase{"verify_whole", "$LILITH verify log/agent-audit.log", 0, "intact"},
        CliCase{"verify_json", "$LILITH verify --json log/agent-audit.log", 0, "\"chains\""},
        CliCase{"verify_changed",
                "sed -i 's/\"make\"/\"made\"/' log/agent-audit.log; $LILITH verify "
                "log/agent-audit.log",
                1, "changed"},
        CliCase{"verify_start_missing",
                "sed -i 1d log/agent-audit.log; $LILITH verify --from-start log/agent-audit.log", 1,
                "missing"},
        CliCase{"verify_missing_file", "$LILITH verify none.log", 3, "none.log"},
        CliCase{"seal_which_key", "$LILITH seal init --policy policy.yaml", 2, "which key?"},
        CliCase{"seal_init", "$LILITH seal init --policy policy.yaml --key $PWD/seal.key", 0,
                "lilith-verify-key 1 host="},
        CliCase{"seal_init_twice",
                "K=\"--policy policy.yaml --key $PWD/seal.key\"; $LILITH seal init $K 2>&1; "
                "$LILITH seal init $K",
                2, "a key is never overwritten"},
        CliCase{"seal_export",
                "K=\"--policy policy.yaml --key $PWD/seal.key\"; $LILITH seal init $K >a; "
                "$LILITH seal export-verify-key $K >b; cmp a b",
                0, ""},
        CliCase{"seal_no_key", "$LILITH seal export-verify-key --key $PWD/none", 3,
                "lilith seal init makes it"},
        CliCase{"seal_rotate",
                "K=\"--policy policy.yaml --key $PWD/seal.key\"; $LILITH seal init $K >k; "
                "$LILITH seal rotate $K && $LILITH verify --verify-key k log/agent-audit.log",
                0, "1 checkpoint verified; no unsealed tail"},
        CliCase{"verify_remembers",
                "K=\"--policy policy.yaml --key $PWD/seal.key\"; $LILITH seal init $K >k; "
                "$LILITH seal rotate $K >/dev/null; $LILITH verify --verify-key k --remember "
                "log/agent-audit.log >/dev/null; sed -i '$d' log/agent-audit.log; $LILITH verify "
                "--verify-key k log/agent-audit.log",
                1, "seal_rolled_back"},
        CliCase{"verify_key_that_is_none",
                "$LILITH verify --verify-key policy.yaml log/agent-audit.log", 2,
                "policy.yaml:1: this is no verify key"},
        CliCase{"remember_needs_a_key", "$LILITH verify --remember log/agent-audit.log", 2,
                "--verify-key"},
        CliCase{"show", "$LILITH audit show log/agent-audit.log", 0, "run_command git"},
        CliCase{"show_stdin", "$LILITH audit show - <log/agent-audit.log", 0, "run_command git"},
        CliCase{"show_missing", "$LILITH audit show none.log", 3, "none.log"},
        CliCase{"show_torn",
                "printf '{\"lilith' >>log/agent-audit.log; $LILITH audit show "
                "log/agent-audit.log",
                3, "run_command git"},
        CliCase{"tail_one", "test $($LILITH audit tail -n 1 log/agent-audit.log | wc -l) = 1", 0,
                ""},
        CliCase{"tail_json",
                "$LILITH audit tail --json log/agent-audit.log | cmp - log/agent-audit.log", 0,
                ""}),
    [](const testing::TestParamInfo<CliCase>& one) { return std::string(one.param.name); });

TEST(AuditShow, EscapesWhatCouldDriveATerminal) {
  const HookFolder folder;
  folder.write_policy();
  (void)folder.hook(claude_event("Bash", R"({"command":"make \u001b[2J\u202e"})"));
  const auto result = folder.shell("$LILITH audit show log/agent-audit.log");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos) << "and no colour where it is no terminal";
  EXPECT_EQ(result.out.find("\xe2\x80\xae"), std::string::npos);
}

TEST(AuditTail, FollowsWhatIsAppended) {
  const HookFolder folder;
  folder.write_policy();
  ASSERT_EQ(folder.hook(git_event()).exit_code, 0);
  const std::string seen = folder.file("seen");
  Process tail({"/bin/sh", "-c", "exec $LILITH audit tail -n 1 -f log/agent-audit.log >seen"},
               folder.options());
  const auto lines_seen = [&] {
    return std::filesystem::exists(seen) ? lines_of(read_text(seen)).size() : 0U;
  };
  ASSERT_TRUE(eventually([&] { return lines_seen() == 1; }));
  ASSERT_EQ(folder.hook(claude_event("Bash", R"({"command":"make"})")).exit_code, 2);
  EXPECT_TRUE(eventually([&] { return lines_seen() == 2; }));
  EXPECT_NE(read_text(seen).find("denied"), std::string::npos);
}

TEST(Siblings, ThatAreMissingAreNamed) {
  const HookFolder folder;
  std::filesystem::copy_file(lilith_program(), folder.file("lilith"));
  const auto result = folder.shell("./lilith ship --config x");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "lilith: lilith ship needs the program " +
                            std::filesystem::canonical(folder.path()).string() +
                            "/lilith-ship: No such file or directory\n");
}

TEST(Siblings, GetTheWordsBehindTheCommand) {
  const HookFolder folder;
  std::filesystem::copy_file(lilith_program(), folder.file("lilith"));
  for (const char* name : {"lilith-ship", "lilith-replay", "lilith-verify"}) {
    write_text(folder.file(name), "#!/bin/sh\necho \"${0##*/}: $*\"\nexit 5\n");
    std::filesystem::permissions(folder.file(name), std::filesystem::perms::owner_all);
  }
  const auto ship = folder.shell("./lilith ship --config 'a b'");
  EXPECT_EQ(ship.exit_code, 5);
  EXPECT_EQ(ship.out, "lilith-ship: --config a b\n");
  EXPECT_EQ(folder.shell("./lilith replay a.log --json").out, "lilith-replay: a.log --json\n");
  EXPECT_EQ(folder.shell("./lilith import claude-code x").out,
            "lilith-replay: import claude-code x\n");
  EXPECT_EQ(folder.shell("./lilith verify --topic t --kafka b:9092").out,
            "lilith-verify: --topic t --kafka b:9092\n");
  EXPECT_EQ(folder.shell("./lilith verify --kafka=b:9092").out, "lilith-verify: --kafka=b:9092\n");
  const auto alone = folder.shell("./lilith verify --topic t a.log");
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_NE(alone.err.find("--topic requires --kafka"), std::string::npos) << alone.err;
}

TEST(Recorder, TakesLogAndGroupFromThePolicyAndStopsOnTerm) {
  const HookFolder folder;
  folder.write_policy();
  Process recorder(
      {lilith_program(), "recorder", "--socket", folder.file("r.sock"), "--policy", "policy.yaml"},
      folder.options());
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder.file("r.sock")); }));
  const auto hooked =
      folder.hook(git_event(), "claude_code", {"--recorder", folder.file("r.sock")});
  EXPECT_EQ(hooked.exit_code, 0) << hooked.err;
  recorder.signal(SIGTERM);
  EXPECT_EQ(recorder.wait().exit_code, 0);
  ASSERT_EQ(folder.decisions().size(), 1U);
  EXPECT_EQ(folder.decisions().front().via, audit::Via::kRecorder);
}

}  // namespace
}  // namespace lilith::test
