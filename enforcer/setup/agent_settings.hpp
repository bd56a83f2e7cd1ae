#pragma once
// Where each agent reads its hooks from and how a hook is written there. Sources of the rows:
// docs/agents.md.

#include "enforcer/setup/jsonc.hpp"
#include "enforcer/setup/settings_file.hpp"
#include "rules/agents/agents.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

enum class Scope { kUser, kProject, kManaged };
inline constexpr std::array kScopes{Scope::kManaged, Scope::kUser, Scope::kProject};
[[nodiscard]] std::optional<Scope> scope_from_name(std::string_view name);
[[nodiscard]] std::string_view name(Scope scope);

// Directories in which the scopes begin; `etc` is /etc but for tests. `variable` gives the
// environment's variables by which agents move their folder in the home (CLAUDE_CONFIG_DIR,
// COPILOT_HOME, CODEX_HOME); empty: none is looked at.
struct Anchors {
  std::string home, project;
  std::string etc = "/etc";
  std::string (*variable)(const char* name) = nullptr;
};
// The agent's file of that scope; nullopt when it has none that lilith could edit.
[[nodiscard]] std::optional<SettingsPlace> settings_place(agents::Agent agent, Scope scope,
                                                          const Anchors& anchors);

// The text with the hook put in: of each event that waits for an answer. kInvalidInput: it is no
// JSON, or of another form than the agent's.
[[nodiscard]] Result<std::string> with_hook(agents::Agent agent, std::string_view text,
                                            const std::string& line, bool rollout);
// The text without any hook of ours for that agent.
[[nodiscard]] Result<std::string> without_hook(agents::Agent agent, std::string_view text);

// The hooks of ours in a text, each with the event it stands under.
struct InstalledHook {
  std::string event;
  std::string line;
};
[[nodiscard]] std::vector<InstalledHook> installed_hooks(agents::Agent agent, const JsonNode& root);

// What its user must know after an installation; empty: nothing.
[[nodiscard]] std::string_view after_install(agents::Agent agent);

}  // namespace lilith::enforcer::setup
