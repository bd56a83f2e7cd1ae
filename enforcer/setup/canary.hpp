#pragma once
// A hook line, tried: started as the agent starts it, with an event of that agent whose call no
// policy allows and which runs nothing.

#include "audit/event.hpp"
#include "enforcer/policy_place.hpp"
#include "enforcer/setup/child.hpp"
#include "rules/agents/agents.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

// The event; `token` is its session, by which it is found in the log.
[[nodiscard]] std::string canary_event(agents::Agent agent, std::string_view token);
// The reason code of the denial.
inline constexpr std::string_view kCanaryCode = "command.unparsable";

// What the log, or the user's own, says of the session `token`; nullopt: nothing, or it can't be
// read (`problem` says why).
[[nodiscard]] std::optional<audit::Event> find_in_log(const std::vector<std::string>& logs,
                                                      std::string_view token, std::string& problem);

// Why the line is not to be run: it is not of the form that `lilith install` writes, or its program
// is somebody else's. Empty: it may be. `own_folder` is that of this program; `trusted_only`: a
// program of this user is not enough (lines that came with a project).
[[nodiscard]] std::string why_not_run(std::string_view line, const std::string& own_folder,
                                      bool trusted_only);

}  // namespace lilith::enforcer::setup
