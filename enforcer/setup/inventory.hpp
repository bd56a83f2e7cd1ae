#pragma once
// `lilith inventory`: the agents of all users of the machine, their hooks and their MCP servers.

#include "enforcer/setup/agent_survey.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::enforcer::setup {

struct UserSurvey {
  std::string user;
  std::int64_t uid = -1;
  std::string home;
  std::vector<AgentSurvey> agents;  // those that are present
};
[[nodiscard]] std::string to_table(const std::vector<UserSurvey>& users);
[[nodiscard]] std::string to_json(const std::vector<UserSurvey>& users);

struct InventoryArguments {
  std::string home;     // only this one
  std::string project;  // looked at besides
  std::string policy, recorder, engine;
  bool json = false;
  bool no_events = false;
};
[[nodiscard]] int inventory_main(const InventoryArguments& arguments);

}  // namespace lilith::enforcer::setup
