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

TEST(Answers, AllowPrintsNothing) {
  for (const Agent agent : {Agent::kClaudeCode, Agent::kVsCodeCopilot, Agent::kGhCopilotCli}) {
    const Answer answer = allow_answer(agent);
    EXPECT_EQ(answer.exit_code, 0);
    EXPECT_EQ(answer.standard_output, "");
    EXPECT_EQ(answer.standard_error, "");
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
