// `lilith hook` as agents run it: exact exit code, standard output and standard error, and what the
// log says, for each agent.

#include "tests/enforcer/hook_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <unistd.h>

namespace lilith::test {
namespace {

struct HookCase {
  std::string name;
  std::string policy;  // enforce, log (sections), audit (whole file)
  std::string input;
};

// The same call in each agent's own form.
struct Dialect {
  const char* agent;
  const char* shell_tool;
  const char* read_tool;
  const char* read_key;
  const char* url_tool;
  const char* many_tool;   // names several files in one call
  const char* many_input;  // with %s for the folder
};
constexpr Dialect kDialects[] = {
    {"claude_code", "Bash", "Read", "file_path", "WebFetch", "MultiEdit",
     R"({"file_path":"%s/work/a","edits":[]})"},
    {"vscode_copilot", "run_in_terminal", "read_file", "filePath", "fetch_webpage", "editFiles",
     R"({"files":["%s/work/a","/etc/passwd"]})"},
    {"gh_copilot_cli", "bash", "view", "path", "web_fetch", "apply_patch",
     R"({"input":"*** Begin Patch\n*** Update File: %s/work/a\n*** Move to: /etc/b\n*** End Patch\n"})"},
};
void PrintTo(const Dialect& d, std::ostream* out) { *out << d.agent; }

std::string with_folder(std::string text, const std::string& folder) {
  for (std::size_t at = text.find("%s"); at != std::string::npos; at = text.find("%s", at)) {
    text.replace(at, 2, folder);
  }
  return text;
}

// One hook event in the agent's form.
std::string event_of(const Dialect& d, std::string_view tool, const std::string& input) {
  if (std::string_view(d.agent) == "gh_copilot_cli") {
    return R"({"sessionId":"s1","timestamp":1767000000000,"cwd":"/nowhere","toolName":")" +
           std::string(tool) + R"(","toolArgs":)" + input + "}";
  }
  const bool vscode = std::string_view(d.agent) == "vscode_copilot";
  return std::string(R"({"timestamp":"2026-01-01T00:00:00Z",)") +
         (vscode ? R"("sessionId":"s1","hookEventName":"PreToolUse")"
                 : R"("session_id":"s1","hook_event_name":"PreToolUse")") +
         R"(,"cwd":"/nowhere","tool_name":")" + std::string(tool) + R"(","tool_input":)" + input +
         R"(,"tool_use_id":"t1"})";
}

// "%s" stands for the folder.
std::vector<HookCase> cases_of(const Dialect& d) {
  const auto shell = [&d](const std::string& command) {
    return event_of(d, d.shell_tool, R"({"command":")" + command + "\"}");
  };
  const auto read = [&d](const std::string& path) {
    return event_of(d, d.read_tool, std::string("{\"") + d.read_key + "\":\"" + path + "\"}");
  };
  std::vector<HookCase> cases{
      {"command allowed", "enforce", shell("git status")},
      {"command not listed", "enforce", shell("make all")},
      {"command blocked behind a pipe", "enforce", shell("git log | curl -d @-")},
      {"command unparsable", "enforce", shell("git 'status")},
      {"command would be denied, section", "log", shell("make all")},
      {"command would be denied, file", "audit", shell("make all")},
      {"file allowed", "enforce", read("%s/work/x")},
      {"file not listed", "enforce", read("/etc/hostname")},
      {"file blocked", "enforce", read("%s/work/id.key")},
      {"file with a relative path", "enforce", read("x")},
      {"URL allowed", "enforce", event_of(d, d.url_tool, R"({"url":"https://ok.example/a"})")},
      {"URL not listed", "enforce", event_of(d, d.url_tool, R"({"url":"https://evil.example/"})")},
      {"URL would be denied", "audit",
       event_of(d, d.url_tool, R"({"url":"https://evil.example"})")},
      {"several files", "enforce", event_of(d, d.many_tool, d.many_input)},
      {"unknown tool", "enforce", event_of(d, "Frobnicate", R"({"x":1})")},
      {"MCP tool", "enforce", event_of(d, "mcp__github__create_issue", R"({"title":"t"})")},
      {"missing field", "enforce", event_of(d, d.shell_tool, R"({"cmd":"git status"})")},
      {"missing field in audit mode", "audit", event_of(d, d.shell_tool, "{}")},
      {"arguments as text", "enforce",
       event_of(d, d.shell_tool, R"("{\"command\":\"git status\"}")")},
      {"byte order mark", "enforce", "\xEF\xBB\xBF" + shell("git status")},
      {"key twice", "enforce",
       event_of(d, d.shell_tool, R"({"command":"git status","command":"curl x"})")},
      {"empty input", "enforce", ""},
      {"empty input in audit mode", "audit", ""},
      {"malformed JSON", "enforce", R"({"tool_name":)"},
      {"malformed JSON in audit mode", "audit", R"({"tool_name":)"},
      {"two objects", "enforce", shell("git status") + shell("git status")},
      {"not UTF-8", "enforce", shell("git \xff")},
      {"one MiB of command", "enforce", shell("git " + std::string(1 << 20, 'x'))},
      {"after the tool", "enforce",
       R"({"hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{},"tool_response":{}})"},
      {"unknown event", "enforce", R"({"hook_event_name":"Whatever"})"},
  };
  return cases;
}

// The agents whose forms differ more: an event begins with `head` and goes on as the row says.
struct OtherAgent {
  const char* agent;
  const char* head;
};
constexpr OtherAgent kOtherAgents[] = {
    {"codex",
     R"({"session_id":"s1","turn_id":"u1","agent_id":"sub1","transcript_path":null,"cwd":"/nowhere","hook_event_name":"PreToolUse","model":"m","permission_mode":"default","tool_use_id":"t1",)"},
    {"gemini_cli",
     R"({"session_id":"s1","transcript_path":"/t","cwd":"/nowhere","hook_event_name":"BeforeTool","timestamp":"2026-01-01T00:00:00Z",)"},
    {"cursor",
     R"({"conversation_id":"s1","generation_id":"g1","workspace_roots":["/nowhere"],"cursor_version":"3.1","hook_event_name":)"},
    {"windsurf",
     R"({"trajectory_id":"s1","execution_id":"e1","timestamp":"2026-01-01T00:00:00Z","agent_action_name":)"},
};
void PrintTo(const OtherAgent& one, std::ostream* out) { *out << one.agent; }

struct OtherCase {
  const char* agent;  // "" for each of them
  const char* name;
  const char* policy;
  const char* rest;  // "" for an input of nothing
};
constexpr OtherCase kOtherCases[] = {
    {"codex", "command allowed", "enforce",
     R"("tool_name":"Bash","tool_input":{"command":"git status"}})"},
    {"codex", "command denied", "enforce",
     R"("tool_name":"Bash","tool_input":{"command":"make"}})"},
    {"codex", "would be denied", "audit", R"("tool_name":"Bash","tool_input":{"command":"make"}})"},
    {"codex", "patch of two files", "enforce",
     R"("tool_name":"apply_patch","tool_input":{"command":"*** Begin Patch\n*** Update File: %s/work/a\n*** Add File: /etc/b\n*** End Patch"}})"},
    {"codex", "MCP tool", "enforce", R"("tool_name":"mcp__github__list","tool_input":{}})"},
    {"codex", "unknown tool", "enforce", R"("tool_name":"exec","tool_input":{"code":"x"}})"},
    {"gemini_cli", "command allowed", "enforce",
     R"("tool_name":"run_shell_command","tool_input":{"command":"git status"}})"},
    {"gemini_cli", "command denied", "enforce",
     R"("tool_name":"run_shell_command","tool_input":{"command":"make","dir_path":"/tmp"}})"},
    {"gemini_cli", "would be denied", "audit",
     R"("tool_name":"run_shell_command","tool_input":{"command":"make"}})"},
    {"gemini_cli", "two files", "enforce",
     R"("tool_name":"read_many_files","tool_input":{"include":["%s/work/a","/etc/b"]}})"},
    {"gemini_cli", "URLs of a prompt", "enforce",
     R"("tool_name":"web_fetch","tool_input":{"prompt":"compare https://ok.example/a with https://evil.example/b"}})"},
    {"gemini_cli", "MCP tool", "enforce",
     R"("tool_name":"mcp_github_list","tool_input":{},"mcp_context":{"server_name":"github","tool_name":"list","command":"npx"}})"},
    {"gemini_cli", "unknown tool", "enforce",
     R"("tool_name":"save_memory","tool_input":{"fact":"x"}})"},
    {"cursor", "command allowed", "enforce",
     R"("beforeShellExecution","command":"git status","cwd":""})"},
    {"cursor", "command denied", "enforce",
     R"("beforeShellExecution","command":"make","cwd":"/tmp"})"},
    {"cursor", "would be denied", "audit", R"("beforeShellExecution","command":"make","cwd":""})"},
    {"cursor", "tool", "enforce",
     R"("preToolUse","tool_name":"Shell","tool_input":{"command":"git log"},"tool_use_id":"t1"})"},
    {"cursor", "file read", "enforce",
     R"("beforeReadFile","file_path":"%s/work/x","content":"secret","attachments":[]})"},
    {"cursor", "file not listed", "enforce",
     R"("beforeReadFile","file_path":"/etc/passwd","content":"secret","attachments":[]})"},
    {"cursor", "file written", "enforce",
     R"("preToolUse","tool_name":"Write","tool_input":{"file_path":"/etc/b","contents":"secret"}})"},
    {"cursor", "MCP tool", "enforce",
     R"("beforeMCPExecution","tool_name":"list","tool_input":"{\"a\":1}","command":"npx","mcp_server_name":"github"})"},
    {"cursor", "unknown tool", "enforce", R"("preToolUse","tool_name":"Task","tool_input":{}})"},
    {"cursor", "prompt", "enforce", R"("beforeSubmitPrompt","prompt":"hello","attachments":[]})"},
    {"windsurf", "command allowed", "enforce",
     R"("pre_run_command","tool_info":{"command_line":"git status","cwd":"/nowhere"}})"},
    {"windsurf", "command denied", "enforce",
     R"("pre_run_command","tool_info":{"command_line":"make","cwd":"/nowhere"}})"},
    {"windsurf", "would be denied", "audit",
     R"("pre_run_command","tool_info":{"command_line":"make"}})"},
    {"windsurf", "file read", "enforce",
     R"("pre_read_code","tool_info":{"file_path":"%s/work/x"}})"},
    {"windsurf", "file written", "enforce",
     R"("pre_write_code","tool_info":{"file_path":"/etc/b","edits":[{"old_string":"a","new_string":"secret"}]}})"},
    {"windsurf", "MCP tool", "enforce",
     R"("pre_mcp_tool_use","tool_info":{"mcp_server_name":"github","mcp_tool_name":"create_issue","mcp_tool_arguments":{"title":"t"}}})"},
    {"windsurf", "after the tool", "enforce",
     R"("post_run_command","tool_info":{"command_line":"make"}})"},
    {"", "empty input", "enforce", ""},
    {"", "empty input in audit mode", "audit", ""},
};
std::vector<HookCase> cases_of(const OtherAgent& one) {
  std::vector<HookCase> cases;
  for (const OtherCase& c : kOtherCases) {
    if (*c.agent != '\0' && std::string_view(c.agent) != one.agent) continue;
    const std::string rest = c.rest;
    cases.push_back({c.name, c.policy, rest.empty() ? rest : one.head + rest});
  }
  cases.push_back({"unknown event", "enforce",
                   R"({"hook_event_name":"Whatever","agent_action_name":"Whatever"})"});
  return cases;
}

std::string described(const ProcessResult& result, const std::vector<audit::Event>& events) {
  std::string out = "exit " + std::to_string(result.exit_code) + "\n";
  out += "stdout " + (result.out.empty() ? std::string("-\n") : result.out);
  out += "stderr " + (result.err.empty() ? std::string("-\n") : result.err);
  for (const audit::Event& e : events) {
    out += "event " + std::string(audit::name(e.action)) +
           " decision=" + std::string(audit::name(e.decision)) +
           " mode=" + std::string(audit::name(e.mode)) +
           " category=" + std::string(audit::name(e.category)) + " code=" + e.reason_code +
           " tool=" + e.tool + " hook=" + e.hook +
           " operation=" + audit::describe(e.operation).substr(0, 100) + " of " +
           std::to_string(e.operations) + "\n";
  }
  return out;
}

std::string said_and_recorded(const std::string& agent, const std::vector<HookCase>& cases) {
  std::string all;
  for (const HookCase& c : cases) {
    const HookFolder folder;
    folder.write_policy({.mode = c.policy == "audit" ? "audit" : "enforce",
                         .tools_default = c.policy == "log" ? "log" : "deny",
                         .egress_default = c.policy == "log" ? "log" : "deny"});
    // What is said does not depend on how busy the machine is: a MiB of command takes its time.
    const auto result =
        folder.hook(with_folder(c.input, folder.path()), agent, {"--deadline", "8000"});
    EXPECT_EQ(result.signal, 0) << c.name;
    std::string text = described(result, folder.decisions());
    for (std::size_t at = text.find(folder.path()); at != std::string::npos;
         at = text.find(folder.path())) {
      text.replace(at, folder.path().size(), "FOLDER");
    }
    all += "== " + c.name + "\n" + text;
  }
  return all;
}

class HookOutput : public testing::TestWithParam<Dialect> {};
TEST_P(HookOutput, IsExactlyWhatTheAgentHonours) {
  const Dialect& d = GetParam();
  expect_golden(std::string("hook-") + d.agent + ".txt", said_and_recorded(d.agent, cases_of(d)));
}
class OtherHookOutput : public testing::TestWithParam<OtherAgent> {};
TEST_P(OtherHookOutput, IsExactlyWhatTheAgentHonours) {
  const OtherAgent& one = GetParam();
  expect_golden(std::string("hook-") + one.agent + ".txt",
                said_and_recorded(one.agent, cases_of(one)));
}
INSTANTIATE_TEST_SUITE_P(Agents, OtherHookOutput, testing::ValuesIn(kOtherAgents),
                         [](const testing::TestParamInfo<OtherAgent>& one) {
                           return std::string(one.param.agent);
                         });
INSTANTIATE_TEST_SUITE_P(Agents, HookOutput, testing::ValuesIn(kDialects),
                         [](const testing::TestParamInfo<Dialect>& one) {
                           return std::string(one.param.agent);
                         });

TEST(HookEvents, SayWhoCalledWhat) {
  const HookFolder folder;
  folder.write_policy();
  const auto result = folder.hook(claude_event("Bash", R"({"command":"git push"})", "toolu_9"));
  EXPECT_EQ(result.exit_code, 0);
  const auto events = folder.decisions();
  ASSERT_EQ(events.size(), 1U);
  const audit::Event& e = events.front();
  EXPECT_EQ(e.agent, "claude_code");
  EXPECT_EQ(e.session, "s1");
  EXPECT_EQ(e.call_id, "toolu_9");
  EXPECT_EQ(e.call.command, "git push");
  EXPECT_EQ(e.facts.cwd, "/nowhere");
  EXPECT_EQ(e.facts.uid, static_cast<std::int64_t>(::getuid()));
  EXPECT_EQ(e.policy_sha256.size(), 64U);
  EXPECT_GT(e.policy_line, 0);
  EXPECT_EQ(e.process_pid, ::getpid()) << "the test program started the hook";
  EXPECT_NE(e.process_key.find("/" + std::to_string(::getpid()) + "/"), std::string::npos);
  EXPECT_EQ(e.id.size(), 36U);
  EXPECT_FALSE(e.host.empty());
  EXPECT_FALSE(e.engine.empty());
}

TEST(HookEvents, NameTheAgentBehindShells) {
  const HookFolder folder;
  folder.write_policy();
  const auto result = folder.shell(
      "env sh -c '$HOOK --agent claude-code --policy policy.yaml || exit 2'", git_event());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto events = folder.decisions();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events.front().process_pid, ::getpid());
}

TEST(HookEvents, HoldNoFileBodies) {
  const HookFolder folder;
  folder.write_policy();
  const std::string body = "c0rrect-h0rse";
  for (const std::string& event :
       {claude_event("Write", R"({"file_path":"/x","content":")" + body + "\"}"),
        claude_event("Edit", R"({"file_path":"/x","old_string":")" + body + R"(","new_string":")" +
                                 body + "\"}"),
        claude_event("mcp__fs__write", R"({"deep":[{"content":")" + body + "\"}]}")}) {
    EXPECT_EQ(folder.hook(event).exit_code, 2);
  }
  EXPECT_EQ(folder.decisions().size(), 3U);
  EXPECT_EQ(read_text(folder.log()).find(body), std::string::npos);
}

TEST(HookEvents, HoldNoSecretsUnlessThePolicyTurnsRedactionOff) {
  const std::string token = "ghp_" + std::string(36, 'x');
  const std::string event =
      claude_event("Bash", R"({"command":"git push https://)" + token + R"(@github.com/o/r"})");
  const HookFolder on, off;
  on.write_policy();
  off.write_policy({.audit_lines = "  redact: off\n"});
  (void)on.hook(event);
  (void)off.hook(event);
  EXPECT_EQ(read_text(on.log()).find(token), std::string::npos);
  EXPECT_NE(read_text(off.log()).find(token), std::string::npos);
}

TEST(HookEvents, LeaveOutAllowedOnesWhenThePolicySaysSo) {
  const HookFolder folder;
  folder.write_policy({.audit_lines = "  log_allowed: false\n"});
  EXPECT_EQ(folder.hook(git_event()).exit_code, 0);
  EXPECT_EQ(folder.decisions().size(), 0U);
  EXPECT_EQ(folder.hook(claude_event("Bash", R"({"command":"make"})")).exit_code, 2);
  EXPECT_EQ(folder.decisions().size(), 1U);
}

// "policy_loaded MODE, PREVIOUS MODE" and the actions of decisions, oldest first.
std::vector<std::string> story_of(const HookFolder& folder) {
  std::vector<std::string> out;
  for (const audit::Event& event : folder.events(folder.log())) {
    if (event.type == audit::EventType::kDecision) out.emplace_back(name(event.action));
    if (event.type != audit::EventType::kPolicyLoaded) continue;
    std::string line = "policy_loaded " + std::string(name(event.mode));
    for (const auto& [key, value] : event.detail) {
      if (key == "previous_mode") line += ", " + value;
      if (key == "path") {
        EXPECT_EQ(value, folder.file("policy.yaml"));
      }
    }
    EXPECT_EQ(event.agent, "claude_code");
    EXPECT_FALSE(event.process_key.empty());
    out.push_back(std::move(line));
  }
  return out;
}

TEST(HookPolicyChange, IsToldOnceInFrontOfTheFirstDecisionByIt) {
  const HookFolder folder;
  folder.write_policy();
  for (int i = 0; i < 2; ++i) (void)folder.hook(git_event());
  folder.write_policy({.mode = "audit"});
  for (int i = 0; i < 2; ++i) (void)folder.hook(claude_event("Bash", R"({"command":"make"})"));
  EXPECT_THAT(story_of(folder),
              testing::ElementsAre("policy_loaded enforce", "allowed", "allowed",
                                   "policy_loaded audit, enforce", "would_deny", "would_deny"));
}

TEST(HookPolicyChange, IsToldAlsoUnderAPolicyThatRecordsNoAllowedCalls) {
  const HookFolder folder;
  folder.write_policy({.audit_lines = "  log_allowed: false\n"});
  for (int i = 0; i < 2; ++i) (void)folder.hook(git_event());
  folder.write_policy({.mode = "audit", .audit_lines = "  log_allowed: false\n"});
  for (int i = 0; i < 2; ++i) (void)folder.hook(git_event());
  EXPECT_THAT(story_of(folder),
              testing::ElementsAre("policy_loaded enforce", "policy_loaded audit, enforce"));
}

TEST(HookPolicyChange, ThatEndsTheLogIsTheLastThatItSays) {
  const HookFolder folder;
  folder.write_policy();
  (void)folder.hook(git_event());
  std::string off = read_text(folder.file("policy.yaml"));
  off.replace(off.find("mode: enforce"), 13, "mode: audit");
  off.replace(off.find("enabled: true"), 13, "enabled: false");
  write_text(folder.file("policy.yaml"), off);
  for (int i = 0; i < 2; ++i) (void)folder.hook(git_event());
  EXPECT_THAT(story_of(folder), testing::ElementsAre("policy_loaded enforce", "allowed",
                                                     "policy_loaded audit, enforce"));
}

TEST(HookPolicyChange, ThatNeverWantedALogMakesNone) {
  const HookFolder folder;
  folder.write_policy({.mode = "audit"});
  std::string off = read_text(folder.file("policy.yaml"));
  off.replace(off.find("enabled: true"), 13, "enabled: false");
  write_text(folder.file("policy.yaml"), off);
  (void)folder.hook(git_event());
  EXPECT_NE(::access(folder.log().c_str(), F_OK), 0);
}

TEST(HookInput, IsReadNoFurtherThanItsLimit) {
  const HookFolder folder;
  folder.write_policy();
  // An agent that writes without end: only the hook can end this.
  const auto result = folder.shell(
      "yes | { $HOOK --agent claude-code --policy policy.yaml; echo \"exit $?\" >&2; }");
  const std::string reason = "the hook event is longer than 8388608 bytes";
  EXPECT_EQ(result.err, "lilith: " + reason + "\nexit 2\n");
  EXPECT_EQ(result.out, deny_output(reason));
  const auto events = folder.decisions();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events.front().reason_code, "hook.input_unreadable");
  EXPECT_EQ(events.front().action, audit::Action::kError);
}

TEST(HookInput, OfSixtyFourMebibytesIsDenied) {
  const HookFolder folder;
  folder.write_policy();
  const auto result = folder.hook(std::string(std::size_t{64} << 20, 'x'));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, deny_output("the hook event is longer than 8388608 bytes"));
}

struct UsageCase {
  const char* name;
  std::vector<std::string> words;
  const char* reason;
};
void PrintTo(const UsageCase& c, std::ostream* out) { *out << c.name; }
class HookUsage : public testing::TestWithParam<UsageCase> {};
TEST_P(HookUsage, MistakeIsADeny) {
  std::vector<std::string> argv{lilith_program(), "hook"};
  argv.insert(argv.end(), GetParam().words.begin(), GetParam().words.end());
  const auto result = run(argv, {.input = git_event()});
  const std::string reason = std::string(GetParam().reason) + "; see lilith hook --help";
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "lilith: " + reason + "\n");
  EXPECT_EQ(result.out, deny_output(reason));
}
INSTANTIATE_TEST_SUITE_P(
    All, HookUsage,
    testing::Values(
        UsageCase{"no_agent", {}, "--agent is missing"},
        UsageCase{"unknown_agent",
                  {"--agent", "clippy"},
                  "--agent clippy is not known; there are claude_code vscode_copilot "
                  "gh_copilot_cli cursor codex gemini_cli windsurf"},
        UsageCase{"typing_error",
                  {"--agent", "claude-code", "--polcy", "x"},
                  "no option is called --polcy, did you mean --policy?"},
        UsageCase{"no_value", {"--agent"}, "--agent wants a value"},
        UsageCase{"empty_value", {"--agent=claude", "--policy="}, "--policy wants a value"},
        UsageCase{
            "on_error", {"--agent=claude", "--on-error=maybe"}, "--on-error is allow or deny"},
        UsageCase{"deadline",
                  {"--agent=claude", "--deadline", "99999"},
                  "--deadline wants milliseconds from 100 to 8000"}),
    [](const testing::TestParamInfo<UsageCase>& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace lilith::test
