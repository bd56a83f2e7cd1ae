#pragma once
// `lilith replay run --kafka`: one consumer of a group.

#include "replay/replay.hpp"

#include <string>
#include <vector>

namespace lilith::replay {

struct GroupRun {
  std::string brokers;  // empty: none of this was asked for
  std::vector<std::string> topics;
  std::string group, folder;
  std::string properties;  // file
  std::string every = "1h";
  std::size_t timeout_s = 60;
  bool follow = false;
};

// Reads until every partition of the topics was read by the group to where it ended at the start,
// or until TERM or INT. The exit code.
[[nodiscard]] int run_group(const GroupRun& options, const Candidates& policies);

}  // namespace lilith::replay
