#pragma once

#include <string>
#include <sys/types.h>

namespace lilith::enforcer::setup {

// Who besides root and `owner` could change the file or what its path leads through: "PATH can be
// written by its group", "PATH belongs to uid 1000". Empty: nobody. A sticky directory protects the
// names in it. What is not there is nobody's.
[[nodiscard]] std::string who_else_can_write(const std::string& path, uid_t owner);

}  // namespace lilith::enforcer::setup
