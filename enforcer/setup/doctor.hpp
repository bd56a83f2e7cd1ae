#pragma once
// `lilith doctor`: whether the hooks fire, and what stands around them. It tries each installed
// hook line with a call that every policy refuses, and looks for the event of it in the log.

#include "enforcer/policy_place.hpp"
#include "enforcer/setup/agent_survey.hpp"

#include <string>
#include <vector>

namespace lilith::enforcer::setup {

enum class Severity { kOk, kNote, kWarning, kError };
[[nodiscard]] std::string_view name(Severity severity);

struct Finding {
  Severity severity = Severity::kOk;
  std::string check;    // "hook.missing": stable, for scripts
  std::string subject;  // agent, file
  std::string message;
  std::string fix;  // a command or a sentence; empty where nothing is to be done
};
[[nodiscard]] std::string to_text(const std::vector<Finding>& findings);
[[nodiscard]] std::string to_json(const std::vector<Finding>& findings);

struct DoctorContext {
  SurveyPlace place;
  Places places;
  std::string policy;  // --policy, or empty
  std::string engine;
  std::string ship_config = "/etc/lilith/ship.yaml";
  std::string ship_program;           // lilith-ship
  std::string own_folder;             // of this program
  std::vector<agents::Agent> wanted;  // empty: those that are present
};

// What the agents' files say, and what their lines do. Runs lines of the form that install writes
// only, and only programs that root, this user or this installation stands for.
[[nodiscard]] std::vector<Finding> check_hooks(const DoctorContext& context);
// Versions of agents of which it is known that they run tools in spite of a hook.
[[nodiscard]] std::vector<Finding> check_versions(const std::vector<AgentSurvey>& agents);
// Policy, compiled policy, log, recorder, shipper.
[[nodiscard]] std::vector<Finding> check_surroundings(const DoctorContext& context);

struct DoctorArguments {
  std::vector<std::string> agents;
  std::string home, project = ".", policy, ship_config, engine;
  bool json = false;
};
[[nodiscard]] int doctor_main(const DoctorArguments& arguments);

}  // namespace lilith::enforcer::setup
