#pragma once
// `lilith install AGENT` and `lilith uninstall AGENT`: the hook in the agent's own settings file.

#include "enforcer/setup/agent_settings.hpp"

#include <string>
#include <string_view>

namespace lilith::enforcer::setup {

// The file as it was without the hook stands beside it, under this ending.
inline constexpr std::string_view kBackupEnding = ".before-lilith";

// What becomes of a settings file and of the file beside it.
struct Edit {
  bool changed = false;
  SettingsFile file;    // afterwards
  SettingsFile backup;  // afterwards
  // Uninstalling: the bytes are those from before, since nothing else was changed meanwhile.
  bool exact = false;
};
// Both are pure. `file` and `backup` as they are now; kInvalidInput as with_hook().
[[nodiscard]] Result<Edit> plan_install(agents::Agent agent, const SettingsFile& file,
                                        const SettingsFile& backup, const std::string& line,
                                        bool rollout);
[[nodiscard]] Result<Edit> plan_uninstall(agents::Agent agent, const SettingsFile& file,
                                          const SettingsFile& backup);

struct InstallArguments {
  std::string agent;
  std::string scope = "user";
  std::string project = ".";
  std::string home;                       // empty: of the calling user, by the user database
  std::string file;                       // the settings file itself, instead of scope
  std::string program, policy, recorder;  // empty: this one; as the hook finds it
  bool rollout = false;
  bool dry_run = false;
};
// Exit codes as docs/exit-codes.md has them.
[[nodiscard]] int install_main(const InstallArguments& arguments);
[[nodiscard]] int uninstall_main(const InstallArguments& arguments);

}  // namespace lilith::enforcer::setup
