#pragma once
// Which agents one home directory has, in which version, and whether their hooks are ours.

#include "enforcer/setup/agent_settings.hpp"
#include "enforcer/setup/mcp_servers.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

struct SurveyPlace {
  Anchors anchors;                  // an empty project: none is looked at
  std::vector<std::string> search;  // further folders in which programs may be
  std::string system_root;          // in front of /usr, /opt; empty but for tests
};

struct FoundProgram {
  std::string path;     // as it is found, links not followed
  std::string version;  // by the package beside it; empty: not known
};
struct FoundSettings {
  Scope scope = Scope::kUser;
  std::string path;
  std::string problem;  // why it could not be read; empty: it was
  std::vector<InstalledHook> hooks;
  bool disabled = false;  // disableAllHooks: the agent runs none of these
};
// In order of how much is known to be in the way.
enum class HookState { kFailsClosed, kFailsOpen, kDisabled, kMissing, kUnreadable };
[[nodiscard]] std::string_view name(HookState state);

struct AgentSurvey {
  agents::Agent agent = agents::Agent::kClaudeCode;
  bool present = false;  // a program or a folder of settings is there
  std::vector<FoundProgram> programs;
  std::vector<FoundSettings> settings;  // files that are there
  HookState hook = HookState::kMissing;
  McpServers mcp;

  [[nodiscard]] std::string version() const {
    return programs.empty() ? std::string() : programs.front().version;
  }
};
// One for each agent that lilith knows, in their order.
[[nodiscard]] std::vector<AgentSurvey> survey(const SurveyPlace& place);

}  // namespace lilith::enforcer::setup
