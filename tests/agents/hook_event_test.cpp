#include "audit/json/reader.hpp"
#include "rules/agents/agents.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace lilith::agents {
namespace {

struct EventCase {
  const char* name;
  Agent agent;
  std::string input;
  const char* hint;
  // "event decides|quiet session cwd call child tool server kind command", or "error: ..."
  std::string expected;
};
void PrintTo(const EventCase& c, std::ostream* out) { *out << c.name; }

std::string text_of(const Result<HookEvent>& event) {
  if (!event) return "error: " + event.error().message;
  const HookEvent& e = *event;
  std::string out = e.hook + (e.decides ? " decides" : " quiet");
  for (const std::string* part : {&e.session, &e.cwd, &e.call_id, &e.child, &e.tool, &e.server}) {
    out += " " + (part->empty() ? "-" : *part);
  }
  if (!e.decides) return out;
  out += " " + std::string(audit::name(e.call.kind));
  if (!e.call.command.empty()) out += " " + e.call.command;
  if (!e.call.undecidable.empty()) out += " !" + e.call.undecidable;
  return out;
}

class ReadHookEvent : public testing::TestWithParam<EventCase> {};
TEST_P(ReadHookEvent, UnderstandsOrRefuses) {
  const EventCase& c = GetParam();
  EXPECT_EQ(text_of(read_hook_event(c.agent, c.input, c.hint)), c.expected);
}

const auto kName = [](const testing::TestParamInfo<EventCase>& info) {
  return std::string(info.param.name);
};

INSTANTIATE_TEST_SUITE_P(
    ClaudeCode, ReadHookEvent,
    testing::Values(
        EventCase{
            "bash", Agent::kClaudeCode,
            R"({"session_id":"s1","transcript_path":"/t","cwd":"/w","prompt_id":"p","permission_mode":"default","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"},"tool_use_id":"t1"})",
            "", "PreToolUse decides s1 /w t1 - Bash - run_command ls"},
        EventCase{"byte_order_mark", Agent::kClaudeCode,
                  "\xEF\xBB\xBF{\"hook_event_name\":\"PreToolUse\",\"tool_name\":\"Bash\","
                  "\"tool_input\":{\"command\":\"ls\"}}\n",
                  "", "PreToolUse decides - - - - Bash - run_command ls"},
        EventCase{
            "subagent", Agent::kClaudeCode,
            R"({"agent_id":"a7","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"}})",
            "", "PreToolUse decides - - - a7 Bash - run_command ls"},
        EventCase{
            "mcp_server_by_name", Agent::kClaudeCode,
            R"({"hook_event_name":"PreToolUse","tool_name":"mcp__a__b__c","tool_input":{},"mcp_server":{"name":"a__b","source":"user"}})",
            "", "PreToolUse decides - - - - mcp__a__b__c a__b mcp_tool"},
        EventCase{
            "after_the_tool", Agent::kClaudeCode,
            R"({"hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{},"tool_response":{}})",
            "", "PostToolUse quiet - - - - Bash -"},
        EventCase{"session_start", Agent::kClaudeCode,
                  R"({"hook_event_name":"SessionStart","source":"startup"})", "",
                  "SessionStart quiet - - - - - -"},
        EventCase{"unknown_event", Agent::kClaudeCode, R"({"hook_event_name":"PreTool"})", "",
                  "error: no hook event is called PreTool"},
        EventCase{"no_event_name", Agent::kClaudeCode,
                  R"({"tool_name":"Bash","tool_input":{"command":"ls"}})", "",
                  "error: the hook event has no name (hook_event_name)"},
        EventCase{"no_tool", Agent::kClaudeCode,
                  R"({"hook_event_name":"PreToolUse","tool_input":{}})", "",
                  "error: the hook event names no tool (tool_name)"},
        EventCase{"no_input", Agent::kClaudeCode,
                  R"({"hook_event_name":"PreToolUse","tool_name":"Bash"})", "",
                  "error: the hook event has no arguments (tool_input)"},
        EventCase{
            "input_is_text", Agent::kClaudeCode,
            R"({"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":"{\"command\":\"ls\"}"})",
            "", "PreToolUse decides - - - - Bash - other !the tool's arguments are no object"},
        EventCase{
            "two_tools", Agent::kClaudeCode,
            R"({"hook_event_name":"PreToolUse","tool_name":"Read","toolName":"Bash","tool_input":{"command":"ls"}})",
            "", "error: the hook event has both tool_name and toolName, and they differ"},
        EventCase{
            "two_inputs", Agent::kClaudeCode,
            R"({"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"},"toolArgs":{"command":"rm"}})",
            "", "error: the hook event has both tool_input and toolArgs"},
        EventCase{"empty", Agent::kClaudeCode, " \n", "",
                  "error: the hook got nothing on standard input"},
        EventCase{"array", Agent::kClaudeCode, "[]", "",
                  "error: the hook event is no JSON object"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    CopilotCli, ReadHookEvent,
    testing::Values(
        EventCase{
            "arguments_as_object", Agent::kGhCopilotCli,
            R"({"sessionId":"s","timestamp":1700000000000,"cwd":"/w","toolName":"bash","toolArgs":{"command":"ls"}})",
            "", "preToolUse decides s /w - - bash - run_command ls"},
        EventCase{
            "arguments_as_text", Agent::kGhCopilotCli,
            R"({"sessionId":"s","cwd":"/w","toolName":"bash","toolArgs":"{\"command\":\"ls\"}"})",
            "preToolUse", "preToolUse decides s /w - - bash - run_command ls"},
        EventCase{"arguments_as_bare_patch", Agent::kGhCopilotCli,
                  R"({"toolName":"apply_patch","toolArgs":"*** Begin Patch\n*** Add File: x\n"})",
                  "preToolUse", "preToolUse decides - - - - apply_patch - write_file"},
        EventCase{"empty_text", Agent::kGhCopilotCli, R"({"toolName":"bash","toolArgs":""})",
                  "preToolUse",
                  "preToolUse decides - - - - bash - run_command !the call names no command"},
        EventCase{"mcp_event", Agent::kGhCopilotCli,
                  R"({"toolName":"github-list","toolArgs":{"a":1}})", "preMcpToolCall",
                  "preMcpToolCall decides - - - - github-list - mcp_tool"},
        EventCase{
            "pascal_case", Agent::kGhCopilotCli,
            R"({"hook_event_name":"PreToolUse","session_id":"s","cwd":"/w","tool_name":"Bash","tool_input":{"command":"ls"}})",
            "", "PreToolUse decides s /w - - Bash - run_command ls"},
        EventCase{"after_the_tool_without_name", Agent::kGhCopilotCli,
                  R"({"toolName":"bash","toolArgs":{},"toolResult":{"resultType":"success"}})", "",
                  "error: the hook event has no name (hook_event_name)"},
        EventCase{"after_the_tool", Agent::kGhCopilotCli,
                  R"({"toolName":"bash","toolArgs":{},"toolResult":{}})", "postToolUse",
                  "postToolUse quiet - - - - bash -"},
        EventCase{"hint_contradicts", Agent::kGhCopilotCli,
                  R"({"hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{}})",
                  "preToolUse",
                  "error: the hook event calls itself PostToolUse and --event says preToolUse"},
        EventCase{
            "hint_in_the_other_case", Agent::kGhCopilotCli,
            R"({"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"}})",
            "preToolUse", "PreToolUse decides - - - - Bash - run_command ls"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    VsCode, ReadHookEvent,
    testing::Values(
        EventCase{
            "camel_case", Agent::kVsCodeCopilot,
            R"({"timestamp":"t","cwd":"/w","sessionId":"s","hookEventName":"PreToolUse","tool_name":"run_in_terminal","tool_input":{"command":"ls"},"tool_use_id":"t1"})",
            "", "PreToolUse decides s /w t1 - run_in_terminal - run_command ls"},
        EventCase{
            "snake_case", Agent::kVsCodeCopilot,
            R"({"cwd":"/w","session_id":"s","hook_event_name":"PreToolUse","tool_name":"run_in_terminal","tool_input":{"command":"ls"},"tool_use_id":"t1"})",
            "", "PreToolUse decides s /w t1 - run_in_terminal - run_command ls"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Codex, ReadHookEvent,
    testing::Values(
        EventCase{
            "subagent", Agent::kCodex,
            R"({"session_id":"s","turn_id":"u","agent_id":"a7","agent_type":"worker","transcript_path":null,"cwd":"/w","hook_event_name":"PreToolUse","model":"m","permission_mode":"default","tool_name":"Bash","tool_input":{"command":"ls"},"tool_use_id":"t1"})",
            "", "PreToolUse decides s /w t1 a7 Bash - run_command ls"},
        EventCase{
            "directory_of_its_own", Agent::kCodex,
            R"({"cwd":"/w","hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls","workdir":"sub"}})",
            "", "PreToolUse decides - /w/sub - - Bash - run_command ls"},
        EventCase{"mcp", Agent::kCodex,
                  R"({"hook_event_name":"PreToolUse","tool_name":"mcp__s__t","tool_input":{}})", "",
                  "PreToolUse decides - - - - mcp__s__t s mcp_tool"},
        EventCase{"asks_for_permission", Agent::kCodex,
                  R"({"hook_event_name":"PermissionRequest","tool_name":"Bash","tool_input":{}})",
                  "", "PermissionRequest quiet - - - - Bash -"},
        EventCase{"event_of_another_agent", Agent::kCodex,
                  R"({"hook_event_name":"BeforeTool","tool_name":"Bash","tool_input":{}})", "",
                  "error: no hook event is called BeforeTool"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    GeminiCli, ReadHookEvent,
    testing::Values(
        EventCase{
            "command", Agent::kGeminiCli,
            R"({"session_id":"s","transcript_path":"/t","cwd":"/w","hook_event_name":"BeforeTool","timestamp":"t","tool_name":"run_shell_command","tool_input":{"command":"ls","dir_path":"/x"}})",
            "", "BeforeTool decides s /x - - run_shell_command - run_command ls"},
        EventCase{
            "command_in_home", Agent::kGeminiCli,
            R"({"cwd":"/w","hook_event_name":"BeforeTool","tool_name":"run_shell_command","tool_input":{"command":"ls","dir_path":"~/x"}})",
            "",
            "BeforeTool decides - /w/~/x - - run_shell_command - run_command ls !the command's "
            "directory begins with ~"},
        EventCase{
            "mcp_by_context", Agent::kGeminiCli,
            R"({"hook_event_name":"BeforeTool","tool_name":"mcp_a_b_c","tool_input":{},"mcp_context":{"server_name":"a_b","tool_name":"c"}})",
            "", "BeforeTool decides - - - - mcp__a_b__c a_b mcp_tool"},
        EventCase{
            "mcp_tool_with_a_known_name", Agent::kGeminiCli,
            R"({"hook_event_name":"BeforeTool","tool_name":"read_file","tool_input":{"file_path":"/x"},"mcp_context":{"server_name":"a","tool_name":"read_file"}})",
            "", "BeforeTool decides - - - - mcp__a__read_file a mcp_tool"},
        EventCase{"before_the_model", Agent::kGeminiCli, R"({"hook_event_name":"BeforeModel"})", "",
                  "BeforeModel quiet - - - - - -"},
        EventCase{"event_of_another_agent", Agent::kGeminiCli,
                  R"({"hook_event_name":"PreToolUse","tool_name":"x","tool_input":{}})", "",
                  "error: no hook event is called PreToolUse"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Cursor, ReadHookEvent,
    testing::Values(
        EventCase{
            "shell", Agent::kCursor,
            "\xEF\xBB\xBF{\"conversation_id\":\"s\",\"generation_id\":\"g\",\"workspace_roots\":"
            "[\"/w\",\"/v\"],\"hook_event_name\":\"beforeShellExecution\",\"command\":\"ls\","
            "\"cwd\":\"\"}",
            "", "beforeShellExecution decides s /w - - Shell - run_command ls"},
        EventCase{
            "shell_elsewhere", Agent::kCursor,
            R"({"workspace_roots":["/w"],"hook_event_name":"beforeShellExecution","command":"ls","cwd":"/x"})",
            "", "beforeShellExecution decides - /x - - Shell - run_command ls"},
        EventCase{
            "tool", Agent::kCursor,
            R"({"conversation_id":"s","workspace_roots":["/w"],"hook_event_name":"preToolUse","tool_name":"Shell","tool_input":{"command":"ls","working_directory":"a"},"tool_use_id":"t1"})",
            "", "preToolUse decides s /w/a t1 - Shell - run_command ls"},
        EventCase{"no_command", Agent::kCursor, R"({"hook_event_name":"beforeShellExecution"})", "",
                  "beforeShellExecution decides - - - - Shell - run_command !the call names no "
                  "command"},
        EventCase{
            "read", Agent::kCursor,
            R"({"hook_event_name":"beforeReadFile","file_path":"/x","content":"c","attachments":[]})",
            "", "beforeReadFile decides - - - - Read - read_file"},
        EventCase{"read_for_tab", Agent::kCursor,
                  R"({"hook_event_name":"beforeTabFileRead","content":"c"})", "",
                  "beforeTabFileRead decides - - - - Read - read_file !the call names no path"},
        EventCase{
            "mcp", Agent::kCursor,
            R"({"hook_event_name":"beforeMCPExecution","tool_name":"t","tool_input":"{\"a\":1}","url":"https://x","mcp_server_name":"s"})",
            "", "beforeMCPExecution decides - - - - mcp__s__t s mcp_tool"},
        EventCase{
            "mcp_with_broken_text", Agent::kCursor,
            R"({"hook_event_name":"beforeMCPExecution","tool_name":"t","tool_input":"{"})", "",
            "error: tool_input: not JSON: The JSON document has an improper structure: missing or "
            "superfluous commas, braces, missing keys, etc."},
        EventCase{"mcp_as_a_tool", Agent::kCursor,
                  R"({"hook_event_name":"preToolUse","tool_name":"MCP:t","tool_input":{}})", "",
                  "preToolUse decides - - - - mcp__unknown__t unknown mcp_tool"},
        EventCase{"no_tool", Agent::kCursor, R"({"hook_event_name":"preToolUse","tool_input":{}})",
                  "", "error: the hook event names no tool (tool_name)"},
        EventCase{"no_input", Agent::kCursor,
                  R"({"hook_event_name":"preToolUse","tool_name":"Write"})", "",
                  "error: the hook event has no arguments (tool_input)"},
        EventCase{"after_the_edit", Agent::kCursor,
                  R"({"hook_event_name":"afterFileEdit","file_path":"/x","edits":[]})", "",
                  "afterFileEdit quiet - - - - - -"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Windsurf, ReadHookEvent,
    testing::Values(
        EventCase{
            "command", Agent::kWindsurf,
            R"({"agent_action_name":"pre_run_command","trajectory_id":"s","execution_id":"e","tool_info":{"command_line":"ls","cwd":"/w"}})",
            "", "pre_run_command decides s /w - - run_command - run_command ls"},
        EventCase{
            "command_under_another_key", Agent::kWindsurf,
            R"({"agent_action_name":"pre_run_command","tool_info":{"command":"ls"}})", "",
            "pre_run_command decides - - - - run_command - run_command !the call names no command"},
        EventCase{
            "mcp", Agent::kWindsurf,
            R"({"agent_action_name":"pre_mcp_tool_use","tool_info":{"mcp_server_name":"github","mcp_tool_name":"create_issue","mcp_tool_arguments":{"body":"x"}}})",
            "", "pre_mcp_tool_use decides - - - - mcp__github__create_issue github mcp_tool"},
        EventCase{"mcp_without_a_tool", Agent::kWindsurf,
                  R"({"agent_action_name":"pre_mcp_tool_use","tool_info":{}})", "",
                  "error: the hook event names no tool (mcp_tool_name)"},
        EventCase{"nothing_told", Agent::kWindsurf, R"({"agent_action_name":"pre_read_code"})", "",
                  "error: the hook event has no arguments (tool_info)"},
        EventCase{"no_name", Agent::kWindsurf, R"({"hook_event_name":"PreToolUse"})", "",
                  "error: the hook event has no name (agent_action_name)"},
        EventCase{"after_the_tool", Agent::kWindsurf,
                  R"({"agent_action_name":"post_read_code","tool_info":{}})", "",
                  "post_read_code quiet - - - - - -"}),
    kName);

TEST(ReadHookEvent, RefusesAKeyThatIsThereTwice) {
  const auto event = read_hook_event(
      Agent::kClaudeCode,
      R"({"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls","command":"rm"}})",
      "");
  ASSERT_FALSE(event);
  EXPECT_NE(event.error().message.find("command"), std::string::npos) << event.error().message;
}

TEST(AgentNames, AreSpelledAsInAPolicyAndAcceptedWithHyphens) {
  for (const std::string_view text : agent_names()) {
    const auto agent = agent_from_name(text);
    ASSERT_TRUE(agent) << text;
    EXPECT_EQ(name(*agent), text);
  }
  EXPECT_EQ(agent_from_name("claude-code"), Agent::kClaudeCode);
  EXPECT_EQ(agent_from_name("copilot-cli"), Agent::kGhCopilotCli);
  EXPECT_EQ(agent_from_name("vscode-copilot"), Agent::kVsCodeCopilot);
  EXPECT_FALSE(agent_from_name("clippy"));
}

TEST(Answers, AllowPrintsNothingButWhereThatIsAFailure) {
  for (const std::string_view text : agent_names()) {
    const Agent agent = *agent_from_name(text);
    const Answer answer = allow_answer(agent);
    EXPECT_EQ(answer.exit_code, 0);
    EXPECT_EQ(answer.standard_output,
              agent == Agent::kCursor ? "{\"permission\":\"allow\"}\n" : "");
    EXPECT_EQ(answer.standard_error, "");
  }
}

TEST(Answers, DenyOfEachAgentHasItsForm) {
  const std::vector<std::pair<Agent, std::string>> rows{
      {Agent::kCodex, ""},
      {Agent::kWindsurf, ""},
      {Agent::kGeminiCli, "{\"decision\":\"deny\",\"reason\":\"no\"}\n"},
      {Agent::kCursor,
       "{\"permission\":\"deny\",\"user_message\":\"no\",\"agent_message\":\"no\"}\n"}};
  for (const auto& [agent, output] : rows) {
    const Answer answer = deny_answer(agent, "no");
    EXPECT_EQ(answer.exit_code, 2) << name(agent);
    EXPECT_EQ(answer.standard_output, output) << name(agent);
    EXPECT_EQ(answer.standard_error, "lilith: no\n") << name(agent);
  }
}

TEST(Answers, DenyIsExitTwoAReasonAndBothJsonForms) {
  for (const Agent agent : {Agent::kClaudeCode, Agent::kVsCodeCopilot, Agent::kGhCopilotCli}) {
    const Answer answer = deny_answer(agent, "no \"x\"\nhere\x1b[31m");
    EXPECT_EQ(answer.exit_code, 2);
    EXPECT_EQ(answer.standard_error, "lilith: no \"x\"\\x0ahere\\x1b[31m\n");
    json::Document document;
    const auto root = document.parse(answer.standard_output);
    ASSERT_TRUE(root) << root.error().message;
    constexpr std::string_view kReason = "no \"x\"\\x0ahere\\x1b[31m";
    EXPECT_EQ(root->text("permissionDecision"), "deny");
    EXPECT_EQ(root->text("permissionDecisionReason"), kReason);
    const auto inner = root->find("hookSpecificOutput");
    ASSERT_TRUE(inner);
    EXPECT_EQ(inner->text("hookEventName"), "PreToolUse");
    EXPECT_EQ(inner->text("permissionDecision"), "deny");
    EXPECT_EQ(inner->text("permissionDecisionReason"), kReason);
  }
}

TEST(Answers, DenyReasonIsBounded) {
  const Answer answer = deny_answer(Agent::kClaudeCode, std::string(100'000, 'x'));
  EXPECT_LT(answer.standard_error.size(), 3000U);
}

}  // namespace
}  // namespace lilith::agents
