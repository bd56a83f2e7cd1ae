#pragma once
// The agents' hook contracts: their input forms, their tools as canonical calls, their output
// forms. docs/agents.md is the table with the source of each row. Floor 2, because import and
// replay need the mapping as well.

#include "audit/base/result.hpp"
#include "audit/event.hpp"
#include "audit/json/reader.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::agents {

enum class Agent {
  kClaudeCode,
  kVsCodeCopilot,
  kGhCopilotCli,
  kCursor,
  kCodex,
  kGeminiCli,
  kWindsurf
};

// Spelled as in a policy (claude_code, vscode_copilot, gh_copilot_cli, cursor, codex, gemini_cli,
// windsurf); hyphens and the short forms copilot-cli, vscode-copilot and gemini are accepted.
[[nodiscard]] std::optional<Agent> agent_from_name(std::string_view name);
[[nodiscard]] std::string_view name(Agent agent);
[[nodiscard]] std::vector<std::string_view> agent_names();

// One hook event, in one shape for all agents.
struct HookEvent {
  std::string hook;      // the agent's own event name
  bool decides = false;  // a tool is about to run and waits for the answer (PreToolUse, ...)
  std::string session;
  std::string cwd;
  std::string call_id;
  std::string child;  // subagent id
  std::string tool;
  std::string server;
  audit::Call call;
};
// `event_hint` is --event, for payloads that don't name their event (Copilot CLI's camelCase form).
// An error means: not understood, so not allowed.
[[nodiscard]] Result<HookEvent> read_hook_event(Agent agent, std::string_view input,
                                                std::string_view event_hint);

// A tool and its arguments as a canonical call; the one mapping that hook, import and replay share.
struct MappedCall {
  audit::Call call;
  std::string server;
};
[[nodiscard]] MappedCall map_call(std::string_view agent_name, std::string_view tool,
                                  json::View input, std::string_view cwd);
// A call of an MCP tool, whatever its name.
[[nodiscard]] MappedCall map_mcp_call(std::string_view server, json::View input);

// What to print and how to exit, so that the agent honours it (docs/agents.md, "verdicts").
struct Answer {
  int exit_code = 0;
  std::string standard_output;
  std::string standard_error;
};
[[nodiscard]] Answer allow_answer(Agent agent);
[[nodiscard]] Answer deny_answer(Agent agent, std::string_view reason);

}  // namespace lilith::agents
