// Agents by name, their hook events, their verdicts.

#include "rules/agents/agents.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::agents {
namespace {

using json::View;

struct AgentName {
  std::string_view text;
  Agent agent;
};
constexpr std::array kNames{AgentName{"claude_code", Agent::kClaudeCode},
                            AgentName{"vscode_copilot", Agent::kVsCodeCopilot},
                            AgentName{"gh_copilot_cli", Agent::kGhCopilotCli}};
// Further spellings that people type; hyphens are underscores by then.
constexpr std::array kShortNames{
    AgentName{"claude", Agent::kClaudeCode}, AgentName{"copilot_cli", Agent::kGhCopilotCli},
    AgentName{"copilot", Agent::kGhCopilotCli}, AgentName{"vscode", Agent::kVsCodeCopilot}};

// A tool waits for the answer to these ...
constexpr std::array<std::string_view, 3> kDecidingEvents{"PreToolUse", "preToolUse",
                                                          "preMcpToolCall"};
// ... and to none of these. Sources: docs/agents.md, "Events".
constexpr std::array<std::string_view, 47> kOtherEvents{"PostToolUse",
                                                        "PostToolUseFailure",
                                                        "PostToolBatch",
                                                        "Notification",
                                                        "UserPromptSubmit",
                                                        "UserPromptExpansion",
                                                        "SessionStart",
                                                        "SessionEnd",
                                                        "Stop",
                                                        "StopFailure",
                                                        "SubagentStart",
                                                        "SubagentStop",
                                                        "PreCompact",
                                                        "PostCompact",
                                                        "PreModelSwitch",
                                                        "PostModelSwitch",
                                                        "PermissionRequest",
                                                        "PermissionDenied",
                                                        "Setup",
                                                        "TeammateIdle",
                                                        "TaskCreated",
                                                        "TaskCompleted",
                                                        "Elicitation",
                                                        "ElicitationResult",
                                                        "ConfigChange",
                                                        "WorktreeCreate",
                                                        "WorktreeRemove",
                                                        "InstructionsLoaded",
                                                        "CwdChanged",
                                                        "FileChanged",
                                                        "DirectoryAdded",
                                                        "MessageDisplay",
                                                        "sessionStart",
                                                        "sessionEnd",
                                                        "userPromptSubmitted",
                                                        "userPromptTransformed",
                                                        "postToolUse",
                                                        "postToolUseFailure",
                                                        "agentStop",
                                                        "subagentStart",
                                                        "subagentStop",
                                                        "errorOccurred",
                                                        "preCompact",
                                                        "permissionRequest",
                                                        "notification",
                                                        "ErrorOccurred",
                                                        "AgentStop"};

bool contains(const auto& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// One member under either of its spellings; an error when both are there and differ, because then
// it is not known which of them the agent acts on.
Result<std::string> either(View root, std::string_view one, std::string_view other) {
  const std::string_view first = root.text(one), second = root.text(other);
  if (!first.empty() && !second.empty() && first != second) {
    return fail(ErrorCode::kInvalidInput, "the hook event has both " + std::string(one) + " and " +
                                              std::string(other) + ", and they differ");
  }
  return std::string(first.empty() ? second : first);
}

Result<void> read_names(View root, HookEvent& event) {
  const std::array<std::pair<std::pair<const char*, const char*>, std::string*>, 4> members{
      {{{"hook_event_name", "hookEventName"}, &event.hook},
       {{"session_id", "sessionId"}, &event.session},
       {{"tool_use_id", "toolUseId"}, &event.call_id},
       {{"tool_name", "toolName"}, &event.tool}}};
  for (const auto& [names, target] : members) {
    auto text = either(root, names.first, names.second);
    if (!text) return pass_error(text);
    *target = std::move(*text);
  }
  event.cwd = root.text("cwd");
  event.child = root.text("agent_id");
  return {};
}

// Copilot CLI's camelCase events don't name themselves (--event does); one with a tool and without
// a result is the one before it.
Result<void> settle_event_name(View root, Agent agent, std::string_view hint, HookEvent& event) {
  if (event.hook.empty()) event.hook = hint;
  const bool has_result = root.find("tool_response") || root.find("toolResult") ||
                          root.find("tool_output") || root.find("error");
  if (event.hook.empty() && agent == Agent::kGhCopilotCli && !event.tool.empty() && !has_result) {
    event.hook = "preToolUse";
  }
  if (event.hook.empty()) {
    return fail(ErrorCode::kInvalidInput, "the hook event has no name (hook_event_name)");
  }
  if (!hint.empty() && ascii_lower(hint) != ascii_lower(event.hook)) {
    return fail(ErrorCode::kInvalidInput, "the hook event calls itself " + printable(event.hook) +
                                              " and --event says " + printable(hint));
  }
  event.decides = contains(kDecidingEvents, event.hook);
  if (!event.decides && !contains(kOtherEvents, event.hook)) {
    return fail(ErrorCode::kInvalidInput,
                "no hook event is called " + printable(utf8_prefix(event.hook, 64)));
  }
  return {};
}

Result<void> read_call(View root, Agent agent, HookEvent& event) {
  if (event.tool.empty()) {
    return fail(ErrorCode::kInvalidInput, "the hook event names no tool (tool_name)");
  }
  const auto snake = root.find("tool_input"), camel = root.find("toolArgs");
  if (snake && camel) {
    return fail(ErrorCode::kInvalidInput, "the hook event has both tool_input and toolArgs");
  }
  if (!snake && !camel) {
    return fail(ErrorCode::kInvalidInput, std::string("the hook event has no arguments (") +
                                              (root.find("toolName") ? "toolArgs" : "tool_input") +
                                              ")");
  }
  View arguments = snake ? *snake : *camel;
  // Copilot CLI documents toolArgs as a string of JSON and sends an object.
  json::Document inner;
  const auto text = arguments.string();
  const bool bare_patch = text && event.tool == "apply_patch" && text->starts_with("***");
  if (text && agent == Agent::kGhCopilotCli && !bare_patch) {
    auto parsed = inner.parse(text->empty() ? std::string_view("{}") : *text);
    if (!parsed) return fail(ErrorCode::kInvalidInput, "toolArgs: " + parsed.error().message);
    arguments = *parsed;
  }
  MappedCall mapped = map_call(name(agent), event.tool, arguments, event.cwd);
  if (event.hook == "preMcpToolCall") mapped.call.kind = audit::OperationKind::kMcpTool;
  event.call = std::move(mapped.call);
  event.server = std::move(mapped.server);
  const auto server = root.find("mcp_server");
  if (server && server->is_object() && !server->text("name").empty()) {
    event.server = server->text("name");
  }
  return {};
}

std::string deny_json(std::string_view reason) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("permissionDecision", "deny").member("permissionDecisionReason", reason);
  writer.key("hookSpecificOutput").begin_object();
  writer.member("hookEventName", "PreToolUse").member("permissionDecision", "deny");
  writer.member("permissionDecisionReason", reason);
  writer.end_object().end_object();
  out.push_back('\n');
  return out;
}

}  // namespace

std::optional<Agent> agent_from_name(std::string_view name) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  for (const AgentName& row : kNames) {
    if (row.text == wanted) return row.agent;
  }
  for (const AgentName& row : kShortNames) {
    if (row.text == wanted) return row.agent;
  }
  return std::nullopt;
}

std::string_view name(Agent agent) {
  for (const AgentName& row : kNames) {
    if (row.agent == agent) return row.text;
  }
  return {};
}

std::vector<std::string_view> agent_names() {
  std::vector<std::string_view> out;
  out.reserve(kNames.size());
  for (const AgentName& row : kNames) out.push_back(row.text);
  return out;
}

Result<HookEvent> read_hook_event(Agent agent, std::string_view input,
                                  std::string_view event_hint) {
  if (input.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(ErrorCode::kInvalidInput, "the hook got nothing on standard input");
  }
  json::Document document;
  auto root = document.parse(input);
  if (!root) {
    return fail(ErrorCode::kInvalidInput, "the hook event is unreadable: " + root.error().message);
  }
  if (!root->is_object()) {
    return fail(ErrorCode::kInvalidInput, "the hook event is no JSON object");
  }
  HookEvent event;
  if (auto names = read_names(*root, event); !names) return pass_error(names);
  if (auto settled = settle_event_name(*root, agent, event_hint, event); !settled) {
    return pass_error(settled);
  }
  if (!event.decides) return event;
  if (auto call = read_call(*root, agent, event); !call) return pass_error(call);
  return event;
}

Answer allow_answer(Agent) { return {}; }

Answer deny_answer(Agent, std::string_view reason) {
  // Both JSON forms, the reason on standard error and exit 2: each client honours at least one of
  // them, and a lost standard output does not become an allow (docs/agents.md, "Verdicts").
  const std::string text = printable(utf8_prefix(reason, limits::kVerdictReasonBytesMax));
  Answer answer;
  answer.exit_code = 2;
  answer.standard_output = deny_json(text);
  answer.standard_error = "lilith: " + text + "\n";
  return answer;
}

}  // namespace lilith::agents
