// Agents by name, and their verdicts.

#include "rules/agents/agents.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::agents {
namespace {

struct AgentName {
  std::string_view text;
  Agent agent;
};
constexpr std::array kNames{AgentName{"claude_code", Agent::kClaudeCode},
                            AgentName{"vscode_copilot", Agent::kVsCodeCopilot},
                            AgentName{"gh_copilot_cli", Agent::kGhCopilotCli},
                            AgentName{"cursor", Agent::kCursor},
                            AgentName{"codex", Agent::kCodex},
                            AgentName{"gemini_cli", Agent::kGeminiCli},
                            AgentName{"windsurf", Agent::kWindsurf}};
// Further spellings that people type; hyphens are underscores by then.
constexpr std::array kShortNames{
    AgentName{"claude", Agent::kClaudeCode},    AgentName{"copilot_cli", Agent::kGhCopilotCli},
    AgentName{"copilot", Agent::kGhCopilotCli}, AgentName{"vscode", Agent::kVsCodeCopilot},
    AgentName{"codex_cli", Agent::kCodex},      AgentName{"gemini", Agent::kGeminiCli}};

// Codex takes an output that it does not know for a failed hook and runs the tool; Windsurf reads
// none. Both go by the exit code and standard error.
std::string deny_json(Agent agent, std::string_view reason) {
  if (agent == Agent::kCodex || agent == Agent::kWindsurf) return {};
  std::string out;
  json::Writer writer(out);
  if (agent == Agent::kCursor) {
    writer.begin_object().member("permission", "deny");
    writer.member("user_message", reason).member("agent_message", reason).end_object();
    return out + "\n";
  }
  if (agent == Agent::kGeminiCli) {
    writer.begin_object().member("decision", "deny").member("reason", reason).end_object();
    return out + "\n";
  }
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

Answer allow_answer(Agent agent) {
  Answer answer;
  // Where Cursor is told to fail closed, no output is a failure.
  if (agent == Agent::kCursor) answer.standard_output = "{\"permission\":\"allow\"}\n";
  return answer;
}

Answer deny_answer(Agent agent, std::string_view reason) {
  // The agent's JSON forms, the reason on standard error and exit 2: each client honours at least
  // one of them, and a lost standard output does not become an allow (docs/agents.md, "Verdicts").
  const std::string text = printable(utf8_prefix(reason, limits::kVerdictReasonBytesMax));
  Answer answer;
  answer.exit_code = 2;
  answer.standard_output = deny_json(agent, text);
  answer.standard_error = "lilith: " + text + "\n";
  return answer;
}

}  // namespace lilith::agents
