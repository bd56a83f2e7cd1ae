#pragma once
// Which policy file is in force. A root-owned one under /etc beats what a user, or an agent in the
// user's environment, can name, unless it says allow_user_policy: true.

#include "rules/path.hpp"
#include "rules/policy.hpp"

#include <string>
#include <string_view>

namespace lilith::enforcer {

// The places of a machine; tests pass their own.
struct Places {
  std::string system_policy = "/etc/lilith/lilith-policy.yaml";
  std::string user_policy;         // ~/.config/lilith/lilith-policy.yaml
  std::string environment_policy;  // $LILITH_POLICY
  std::string system_recorder = "/run/lilith/recorder.sock";
  std::string environment_recorder;  // $LILITH_RECORDER
  std::string system_state = "/var/lib/lilith";
  std::string compiled_policies = "/var/lib/lilith/compiled";  // compiled_store.hpp
  std::string user_state;  // $XDG_STATE_HOME/lilith, ~/.local/state/lilith
};
// Home directories come from the user database; the environment is the agent's.
[[nodiscard]] Places machine_places(const std::string& home);

struct FoundPolicy {
  std::string path;  // empty: there is none anywhere
  rules::PolicyLoad load;
  std::string compiled_ignored;  // why a compiled form that is there was not used
};
// `option` is --policy, or empty. `engine` is the program's version; without one, compiled policies
// are not looked for.
[[nodiscard]] FoundPolicy find_policy(const Places& places, const std::string& option,
                                      const rules::FileSystem& file_system,
                                      std::string_view engine = {});

// Why a policy could not be used, in one sentence.
[[nodiscard]] std::string why_unusable(const FoundPolicy& found, const Places& places);

}  // namespace lilith::enforcer
