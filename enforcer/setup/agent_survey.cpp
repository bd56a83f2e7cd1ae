#include "enforcer/setup/agent_survey.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "enforcer/setup/hook_line.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <unistd.h>

namespace lilith::enforcer::setup {
namespace {

namespace fs = std::filesystem;
using agents::Agent;

struct ProgramRow {
  Agent agent;
  std::array<const char*, 2> names;  // of the program; null: no further one
  const char* package;               // "name" in its package.json
  const char* folder;                // of its settings, below the home
};
constexpr std::array kPrograms{
    ProgramRow{Agent::kClaudeCode, {"claude", nullptr}, "@anthropic-ai/claude-code", ".claude"},
    ProgramRow{Agent::kVsCodeCopilot, {"code", nullptr}, "code", ".vscode"},
    ProgramRow{Agent::kGhCopilotCli, {"copilot", nullptr}, "@github/copilot", ".copilot"},
    ProgramRow{Agent::kCursor, {"cursor", "cursor-agent"}, "cursor", ".cursor"},
    ProgramRow{Agent::kCodex, {"codex", nullptr}, "@openai/codex", ".codex"},
    ProgramRow{Agent::kGeminiCli, {"gemini", nullptr}, "@google/gemini-cli", ".gemini"},
    ProgramRow{Agent::kWindsurf, {"windsurf", nullptr}, "windsurf", ".codeium/windsurf"},
};
constexpr int kParentsMax = 6;

std::string package_version(const fs::path& file, std::string_view package) {
  const auto text = read_file(file.string(), limits::kSettingsBytesMax);
  if (!text) return {};
  const auto root = parse_jsonc(*text);
  if (!root) return {};
  return ascii_lower(text_member(*root, "name")) == package
             ? std::string(text_member(*root, "version"))
             : std::string();
}

// By the package that the program stands in: npm's package.json, an editor's resources/app, or
// Claude Code's own folder versions/VERSION.
std::string version_of(const std::string& path, std::string_view package) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) return {};
  fs::path folder = real.parent_path();
  for (int i = 0; i < kParentsMax && folder.has_relative_path(); ++i) {
    for (const char* file : {"package.json", "resources/app/package.json"}) {
      if (std::string version = package_version(folder / file, package); !version.empty()) {
        return version;
      }
    }
    folder = folder.parent_path();
  }
  if (real.parent_path().filename() == "versions") return real.filename().string();
  return {};
}

std::vector<std::string> program_folders(const SurveyPlace& place) {
  std::vector<std::string> out = place.search;
  const std::string& home = place.anchors.home;
  for (const char* below : {"/.local/bin", "/bin", "/.npm-global/bin", "/.claude/local"}) {
    out.push_back(home + below);
  }
  std::error_code ignored;
  for (const auto& node : fs::directory_iterator(home + "/.nvm/versions/node", ignored)) {
    out.push_back(node.path().string() + "/bin");
  }
  for (const char* system : {"/usr/local/bin", "/usr/bin", "/opt/cursor", "/opt/windsurf/bin"}) {
    out.push_back(place.system_root + system);
  }
  return out;
}

std::vector<FoundProgram> programs_of(const ProgramRow& row, const SurveyPlace& place) {
  std::vector<FoundProgram> out;
  std::vector<std::string> seen;  // the same program under several names
  for (const std::string& folder : program_folders(place)) {
    for (const char* name : row.names) {
      if (name == nullptr) continue;
      std::string path = folder + "/" + name;
      std::error_code error;
      const std::string real = fs::canonical(path, error).string();
      if (error || !fs::is_regular_file(real, error) || ::access(path.c_str(), X_OK) != 0 ||
          std::find(seen.begin(), seen.end(), real) != seen.end()) {
        continue;
      }
      seen.push_back(real);
      std::string version = version_of(path, row.package);
      out.push_back({std::move(path), std::move(version)});
    }
  }
  return out;
}

std::optional<FoundSettings> settings_of(Agent agent, Scope scope, const Anchors& anchors) {
  const auto place = settings_place(agent, scope, anchors);
  if (!place || place->anchor.empty()) return std::nullopt;
  FoundSettings found;
  found.scope = scope;
  found.path = place->path();
  const auto file = read_settings(*place);
  if (!file) {
    found.problem = file.error().message;
    return found;
  }
  if (!file->there) return std::nullopt;
  if (file->text.find_first_not_of(" \t\r\n") == std::string::npos) return found;
  const auto root = parse_jsonc(file->text);
  if (!root) {
    found.problem = printable(found.path) + ": " + root.error().message;
    return found;
  }
  found.hooks = installed_hooks(agent, *root);
  const JsonNode* disable = find_member(*root, "disableAllHooks");
  found.disabled =
      disable != nullptr && disable->type == JsonType::kBool && file->text[disable->begin] == 't';
  return found;
}

// Managed hooks are not touched by disableAllHooks (docs/agents.md, "Installing").
HookState state_of(const std::vector<FoundSettings>& settings) {
  bool disabled = false, unreadable = false;
  for (const FoundSettings& one : settings) {
    disabled = disabled || one.disabled;
    unreadable = unreadable || !one.problem.empty();
  }
  HookState state = unreadable ? HookState::kUnreadable : HookState::kMissing;
  for (const FoundSettings& one : settings) {
    for (const InstalledHook& hook : one.hooks) {
      const auto line = read_hook_line(hook.line);
      HookState mine = line && line->fails_closed ? HookState::kFailsClosed : HookState::kFailsOpen;
      if (disabled && one.scope != Scope::kManaged) mine = HookState::kDisabled;
      state = std::min(state, mine);
    }
  }
  return state;
}

}  // namespace

std::string_view name(HookState state) {
  switch (state) {
    case HookState::kFailsClosed:
      return "fails closed";
    case HookState::kFailsOpen:
      return "fails open";
    case HookState::kDisabled:
      return "disabled";
    case HookState::kMissing:
      return "missing";
    case HookState::kUnreadable:
      return "unreadable";
  }
  return {};
}

std::vector<AgentSurvey> survey(const SurveyPlace& place) {
  std::vector<AgentSurvey> out;
  for (const ProgramRow& row : kPrograms) {
    AgentSurvey one;
    one.agent = row.agent;
    one.programs = programs_of(row, place);
    for (const Scope scope : kScopes) {
      if (auto found = settings_of(row.agent, scope, place.anchors)) {
        one.settings.push_back(std::move(*found));
      }
    }
    one.hook = state_of(one.settings);
    one.mcp = mcp_servers(row.agent, place.anchors);
    std::error_code ignored;
    one.present = !one.programs.empty() || !one.settings.empty() || !one.mcp.servers.empty() ||
                  fs::is_directory(place.anchors.home + "/" + row.folder, ignored);
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace lilith::enforcer::setup
