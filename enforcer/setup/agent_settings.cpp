#include "enforcer/setup/agent_settings.hpp"

#include "audit/json/writer.hpp"
#include "enforcer/setup/hook_line.hpp"
#include "enforcer/setup/json_edit.hpp"

#include <functional>
#include <span>

namespace lilith::enforcer::setup {
namespace {

using agents::Agent;

// Longer than the hook's own deadline (limits::kHookDeadline), so that the hook answers first.
constexpr int kTimeoutSeconds = 10;

struct Row {
  Agent agent;
  const char* user;      // below the home
  const char* variable;  // that moves the first folder of `user`; empty: none does
  const char* project;
  const char* managed;  // below /etc; empty: none that can be edited
};
constexpr std::array kRows{
    Row{Agent::kClaudeCode, ".claude/settings.json", "CLAUDE_CONFIG_DIR", ".claude/settings.json",
        "claude-code/managed-settings.json"},
    Row{Agent::kGhCopilotCli, ".copilot/hooks/lilith.json", "COPILOT_HOME",
        ".github/hooks/lilith.json", "github-copilot/policy.d/lilith.json"},
    Row{Agent::kVsCodeCopilot, ".copilot/hooks/lilith-vscode.json", "",
        ".github/hooks/lilith-vscode.json", ""},
    Row{Agent::kCursor, ".cursor/hooks.json", "", ".cursor/hooks.json", "cursor/hooks.json"},
    Row{Agent::kCodex, ".codex/hooks.json", "CODEX_HOME", ".codex/hooks.json", ""},
    Row{Agent::kGeminiCli, ".gemini/settings.json", "", ".gemini/settings.json",
        "gemini-cli/settings.json"},
    Row{Agent::kWindsurf, ".codeium/windsurf/hooks.json", "", ".windsurf/hooks.json",
        "windsurf/hooks.json"},
};

const Row& row_of(Agent agent) {
  for (const Row& row : kRows) {
    if (row.agent == agent) return row;
  }
  return kRows.front();
}

// What is put in under one event, in the agent's own form.
struct Entry {
  std::string event;
  std::string value;
};

// Claude Code's form, which Codex and Gemini CLI took over: groups with a matcher.
std::string group_of(const std::string& matcher, const std::function<void(json::Writer&)>& fill) {
  return object([&](json::Writer& group) {
    if (!matcher.empty()) group.member("matcher", matcher);
    group.key("hooks").begin_array().begin_object();
    fill(group);
    group.end_object().end_array();
  });
}

std::vector<Entry> of_each(std::span<const std::string_view> events, const std::string& value) {
  std::vector<Entry> out;
  for (const std::string_view event : events) out.push_back({std::string(event), value});
  return out;
}

constexpr std::array<std::string_view, 4> kCursorEvents{"preToolUse", "beforeShellExecution",
                                                        "beforeMCPExecution", "beforeReadFile"};
constexpr std::array<std::string_view, 4> kWindsurfEvents{"pre_read_code", "pre_write_code",
                                                          "pre_run_command", "pre_mcp_tool_use"};

std::vector<Entry> entries(Agent agent, const std::string& line, bool rollout) {
  const auto command = [&line](json::Writer& hook) {
    hook.member("type", "command").member("command", line).member("timeout", kTimeoutSeconds);
  };
  switch (agent) {
    case Agent::kClaudeCode:
      return {{"PreToolUse", group_of("*", [&](json::Writer& hook) {
                 command(hook);
                 if (!rollout) hook.member("onFailure", "block");
               })}};
    case Agent::kGhCopilotCli:
      return {{"preToolUse", object([&](json::Writer& hook) {
                 hook.member("type", "command").member("bash", line);
                 hook.member("timeoutSec", kTimeoutSeconds);
               })}};
    case Agent::kVsCodeCopilot:
      return {{"PreToolUse", object(command)}};
    case Agent::kCursor:
      return of_each(kCursorEvents, object([&](json::Writer& hook) {
                       hook.member("command", line).member("timeout", kTimeoutSeconds);
                       if (!rollout) hook.member("failClosed", true);
                     }));
    case Agent::kCodex:
      return {{"PreToolUse", group_of({}, command)}};
    case Agent::kGeminiCli:
      return {{"BeforeTool", group_of("*", [&](json::Writer& hook) {
                 hook.member("name", "lilith").member("type", "command").member("command", line);
                 hook.member("timeout", kTimeoutSeconds * 1000);  // milliseconds
               })}};
    case Agent::kWindsurf:
      return of_each(kWindsurfEvents, object([&](json::Writer& hook) {
                       hook.member("command", line).member("show_output", true);
                     }));
  }
  return {};
}

bool has_version(Agent agent) { return agent == Agent::kGhCopilotCli || agent == Agent::kCursor; }

// The shell line of a hook entry: command (and args, without a shell) or bash.
std::string line_of(const JsonNode& hook) {
  std::string line(text_member(hook, "command"));
  if (line.empty()) line = text_member(hook, "bash");
  const JsonNode* args = find_member(hook, "args");
  if (args == nullptr) return line;
  for (const JsonNode& word : args->children) line += " " + shell_word(word.text);
  return line;
}

bool is_hook_of(Agent agent, const JsonNode& hook) {
  const auto found = read_hook_line(line_of(hook));
  return found && found->agent == agent;
}

void collect(Agent agent, const JsonNode& node, const std::string& event,
             std::vector<InstalledHook>& out) {
  for (const JsonNode& child : node.children) {
    if (node.type == JsonType::kArray && is_hook_of(agent, child)) {
      out.push_back({event, line_of(child)});
    } else {
      collect(agent, child, event, out);
    }
  }
}

}  // namespace

std::optional<Scope> scope_from_name(std::string_view text) {
  for (const Scope scope : kScopes) {
    if (name(scope) == text) return scope;
  }
  return std::nullopt;
}

std::string_view name(Scope scope) {
  switch (scope) {
    case Scope::kUser:
      return "user";
    case Scope::kProject:
      return "project";
    case Scope::kManaged:
      return "managed";
  }
  return {};
}

std::optional<SettingsPlace> settings_place(Agent agent, Scope scope, const Anchors& anchors) {
  const Row& row = row_of(agent);
  if (scope == Scope::kProject) return SettingsPlace{anchors.project, row.project, false};
  if (scope == Scope::kManaged) {
    if (*row.managed == '\0') return std::nullopt;
    return SettingsPlace{anchors.etc, row.managed, false};
  }
  if (anchors.variable != nullptr && *row.variable != '\0') {
    const std::string moved = anchors.variable(row.variable);
    const std::string_view user = row.user;
    if (moved.starts_with('/')) {
      return SettingsPlace{moved, std::string(user.substr(user.find('/') + 1)), true};
    }
  }
  return SettingsPlace{anchors.home, row.user, true};
}

Result<std::string> with_hook(Agent agent, std::string_view text, const std::string& line,
                              bool rollout) {
  Result<std::string> out = std::string(text);
  if (has_version(agent)) out = add_member(text, "version", "1");
  for (const Entry& entry : entries(agent, line, rollout)) {
    if (!out) return out;
    out = append_element(*out, {"hooks", entry.event}, entry.value);
  }
  return out;
}

Result<std::string> without_hook(Agent agent, std::string_view text) {
  return remove_elements(text, "hooks",
                         [agent](const JsonNode& hook) { return is_hook_of(agent, hook); });
}

std::vector<InstalledHook> installed_hooks(Agent agent, const JsonNode& root) {
  std::vector<InstalledHook> out;
  const JsonNode* hooks = find_member(root, "hooks");
  if (hooks == nullptr) return out;
  for (const JsonNode& event : hooks->children) collect(agent, event, event.key, out);
  return out;
}

std::string_view after_install(Agent agent) {
  switch (agent) {
    case Agent::kVsCodeCopilot:
      return "GitHub Copilot CLI reads this folder as well: where both are used, install the hook "
             "for one of them only, or calls are decided twice";
    case Agent::kCodex:
      return "Codex runs a hook of a user or project only after it was trusted: start codex, type "
             "/hooks and trust it; until then, and after every change of it, Codex skips it "
             "silently";
    case Agent::kGeminiCli:
      return "Gemini CLI lets the tool run when a hook is slower than its timeout or dies by a "
             "signal; the line and the hook's own deadline keep from both what they can";
    case Agent::kWindsurf:
      return "Windsurf's hooks have no timeout of their own and no option to fail closed";
    case Agent::kCursor:
      return "Cursor loads hooks of a project only in a trusted workspace; look at its output "
             "channel \"Hooks\" whether they were loaded";
    case Agent::kClaudeCode:
    case Agent::kGhCopilotCli:
      break;
  }
  return {};
}

}  // namespace lilith::enforcer::setup
