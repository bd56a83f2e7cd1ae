// What an agent hands to its hook, as one event. Each agent has a form of its own; docs/agents.md,
// "Events", has the sources.

#include "audit/base/text.hpp"
#include "rules/agents/agents.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace lilith::agents {
namespace {

using json::View;

// Of each agent: the events at which a tool waits for the answer, and those at which none does. A
// name in neither list is refused: it may be one that waits.
constexpr std::array<std::string_view, 3> kClaudeDeciding{"PreToolUse", "preToolUse",
                                                          "preMcpToolCall"};
constexpr std::array<std::string_view, 47> kClaudeOthers{"PostToolUse",
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

constexpr std::array<std::string_view, 1> kCodexDeciding{"PreToolUse"};
constexpr std::array<std::string_view, 12> kCodexOthers{
    "PermissionRequest", "PostToolUse",   "PreCompact",   "PostCompact",
    "UserPromptSubmit",  "SubagentStart", "SubagentStop", "SessionStart",
    "SessionEnd",        "Interrupt",     "StopFailure",  "Stop"};
constexpr std::array<std::string_view, 5> kCursorDeciding{"preToolUse", "beforeShellExecution",
                                                          "beforeMCPExecution", "beforeReadFile",
                                                          "beforeTabFileRead"};
constexpr std::array<std::string_view, 15> kCursorOthers{
    "postToolUse",         "postToolUseFailure",
    "afterShellExecution", "afterMCPExecution",
    "afterFileEdit",       "afterTabFileEdit",
    "afterAgentResponse",  "afterAgentThought",
    "sessionStart",        "sessionEnd",
    "subagentStart",       "subagentStop",
    "preCompact",          "stop",
    "beforeSubmitPrompt"};
constexpr std::array<std::string_view, 1> kGeminiDeciding{"BeforeTool"};
constexpr std::array<std::string_view, 10> kGeminiOthers{
    "AfterTool",  "BeforeAgent", "AfterAgent",   "BeforeModel", "BeforeToolSelection",
    "AfterModel", "SessionEnd",  "SessionStart", "PreCompress", "Notification"};
constexpr std::array<std::string_view, 4> kWindsurfDeciding{"pre_read_code", "pre_write_code",
                                                            "pre_run_command", "pre_mcp_tool_use"};
constexpr std::array<std::string_view, 10> kWindsurfOthers{
    "post_read_code",      "post_write_code",
    "post_run_command",    "post_mcp_tool_use",
    "pre_user_prompt",     "post_cascade_response",
    "post_setup_worktree", "post_cascade_response_with_transcript",
    "session_start",       "session_end"};

struct EventNames {
  std::span<const std::string_view> deciding, others;
};
EventNames events_of(Agent agent) {
  switch (agent) {
    case Agent::kClaudeCode:
    case Agent::kVsCodeCopilot:
    case Agent::kGhCopilotCli:
      return {kClaudeDeciding, kClaudeOthers};
    case Agent::kCursor:
      return {kCursorDeciding, kCursorOthers};
    case Agent::kCodex:
      return {kCodexDeciding, kCodexOthers};
    case Agent::kGeminiCli:
      return {kGeminiDeciding, kGeminiOthers};
    case Agent::kWindsurf:
      return {kWindsurfDeciding, kWindsurfOthers};
  }
  return {};
}

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

Result<void> read_names(View root, Agent agent, HookEvent& event) {
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
  if (agent == Agent::kCursor) {
    event.session = root.text("conversation_id");
    const auto roots = root.find("workspace_roots");
    if (event.cwd.empty() && roots) {
      roots->each_element([&event](View first) {
        event.cwd = first.string().value_or(std::string_view{});
        return false;
      });
    }
  }
  if (agent == Agent::kWindsurf) {
    event.hook = root.text("agent_action_name");
    event.session = root.text("trajectory_id");
  }
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
    return fail(ErrorCode::kInvalidInput,
                std::string("the hook event has no name (") +
                    (agent == Agent::kWindsurf ? "agent_action_name" : "hook_event_name") + ")");
  }
  if (!hint.empty() && ascii_lower(hint) != ascii_lower(event.hook)) {
    return fail(ErrorCode::kInvalidInput, "the hook event calls itself " + printable(event.hook) +
                                              " and --event says " + printable(hint));
  }
  const EventNames names = events_of(agent);
  event.decides = contains(names.deciding, event.hook);
  if (!event.decides && !contains(names.others, event.hook)) {
    return fail(ErrorCode::kInvalidInput,
                "no hook event is called " + printable(utf8_prefix(event.hook, 64)));
  }
  return {};
}

void take(MappedCall mapped, HookEvent& event) {
  event.call = std::move(mapped.call);
  event.server = std::move(mapped.server);
}

// An MCP tool under the name that Claude Code and `lilith mcp` have for it, so that one entry of a
// policy holds for all agents. The tool's own name is the server's to choose: where the agent does
// not say the server, it must not pass for one.
void take_mcp(std::string_view server, std::string_view tool, View input, HookEvent& event) {
  const std::string named(server.empty() ? std::string_view("unknown") : server);
  take(map_mcp_call(named, input), event);
  event.tool = "mcp__" + named + "__" + std::string(tool);
}

// A command of these agents may say where it runs.
void settle_directory(View input, HookEvent& event) {
  if (event.call.kind != audit::OperationKind::kRunCommand) return;
  for (const std::string_view key : {"cwd", "dir_path", "workdir", "working_directory"}) {
    const std::string_view named = input.text(key);
    if (named.empty()) continue;
    if (named.starts_with('~') && event.call.undecidable.empty()) {
      event.call.undecidable = "the command's directory begins with ~";
    }
    event.cwd = named.starts_with('/') || event.cwd.empty() ? std::string(named)
                                                            : event.cwd + "/" + std::string(named);
  }
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
  const auto context = root.find("mcp_context");  // Gemini CLI
  if (event.hook == "preMcpToolCall") {
    take(map_mcp_call({}, arguments), event);
  } else if (context && context->is_object()) {
    const std::string_view tool = context->text("tool_name");
    take_mcp(context->text("server_name"), tool.empty() ? std::string_view(event.tool) : tool,
             arguments, event);
  } else {
    take(map_call(name(agent), event.tool, arguments, event.cwd), event);
  }
  if (agent == Agent::kCodex || agent == Agent::kGeminiCli) settle_directory(arguments, event);
  const auto server = root.find("mcp_server");
  if (server && server->is_object() && !server->text("name").empty()) {
    event.server = server->text("name");
  }
  return {};
}

// An argument that is an object, or the text of one.
Result<View> object_at(View root, std::string_view key, json::Document& inner) {
  const auto member = root.find(key);
  if (!member) {
    return fail(ErrorCode::kInvalidInput,
                "the hook event has no arguments (" + std::string(key) + ")");
  }
  const auto text = member->string();
  if (!text) return *member;
  auto parsed = inner.parse(text->empty() ? std::string_view("{}") : *text);
  if (!parsed) {
    return fail(ErrorCode::kInvalidInput, std::string(key) + ": " + parsed.error().message);
  }
  return *parsed;
}

// Cursor: an event of its own for each kind of tool, with the arguments beside its name, and one
// for all of them.
Result<void> read_cursor_call(View root, HookEvent& event) {
  const bool shell = event.hook == "beforeShellExecution";
  if (shell || event.hook == "beforeReadFile" || event.hook == "beforeTabFileRead") {
    event.tool = shell ? "Shell" : "Read";
    take(map_call("cursor", event.tool, root, event.cwd), event);
    return {};
  }
  if (event.tool.empty()) {
    return fail(ErrorCode::kInvalidInput, "the hook event names no tool (tool_name)");
  }
  json::Document inner;
  auto input = object_at(root, "tool_input", inner);
  if (!input) return pass_error(input);
  if (event.hook == "beforeMCPExecution" || event.tool.starts_with("MCP:")) {
    constexpr std::string_view kPrefix = "MCP:";
    const std::string tool =
        event.tool.starts_with(kPrefix) ? event.tool.substr(kPrefix.size()) : event.tool;
    take_mcp(root.text("mcp_server_name"), tool, *input, event);
    return {};
  }
  take(map_call("cursor", event.tool, *input, event.cwd), event);
  settle_directory(*input, event);
  return {};
}

Result<void> read_windsurf_call(View root, HookEvent& event) {
  const auto info = root.find("tool_info");
  if (!info || !info->is_object()) {
    return fail(ErrorCode::kInvalidInput, "the hook event has no arguments (tool_info)");
  }
  if (event.hook == "pre_mcp_tool_use") {
    const std::string_view tool = info->text("mcp_tool_name");
    if (tool.empty()) {
      return fail(ErrorCode::kInvalidInput, "the hook event names no tool (mcp_tool_name)");
    }
    json::Document inner;
    auto input = object_at(*info, "mcp_tool_arguments", inner);
    if (!input) return pass_error(input);
    take_mcp(info->text("mcp_server_name"), tool, *input, event);
    return {};
  }
  event.tool = event.hook.substr(std::string_view("pre_").size());
  if (event.cwd.empty()) event.cwd = info->text("cwd");
  take(map_call("windsurf", event.tool, *info, event.cwd), event);
  settle_directory(*info, event);
  return {};
}

Result<void> read_call_of(View root, Agent agent, HookEvent& event) {
  if (agent == Agent::kCursor) return read_cursor_call(root, event);
  if (agent == Agent::kWindsurf) return read_windsurf_call(root, event);
  return read_call(root, agent, event);
}

}  // namespace

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
  if (auto names = read_names(*root, agent, event); !names) return pass_error(names);
  if (auto settled = settle_event_name(*root, agent, event_hint, event); !settled) {
    return pass_error(settled);
  }
  if (!event.decides) return event;
  if (auto call = read_call_of(*root, agent, event); !call) return pass_error(call);
  return event;
}

}  // namespace lilith::agents
