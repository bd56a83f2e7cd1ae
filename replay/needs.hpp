#pragma once
// What a policy would have to list so that a call is allowed: tools, programs, files, hosts.

#include "replay/recording.hpp"

#include <optional>
#include <string>
#include <vector>

namespace lilith::replay {

struct Need {
  enum class Kind { kTool, kRead, kWrite, kProgram, kHost } kind = Kind::kTool;
  std::string value;     // paths: home as ~
  std::string detail;    // programs: the sub-command
  int port = 0;          // hosts
  std::string protocol;  // hosts
};

// All of them, whatever a policy lists already; nullopt when no list can allow the call (a line
// that can't be read, a program by a path that others can change, a path that is not known).
[[nodiscard]] std::optional<std::vector<Need>> needs_of(const RecordedCall& recorded);

// The need as a call of its own, so that a policy can be asked; tools and hosts are empty calls.
[[nodiscard]] audit::Call call_for(const Need& need, const audit::Facts& facts);

}  // namespace lilith::replay
