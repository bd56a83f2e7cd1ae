#pragma once
// The system calls that would be a way around the fence (docs/run.md has the list), refused by a
// seccomp filter (seccomp(2)) of the calling thread and all that it starts.

#include "audit/base/result.hpp"

namespace lilith::enforcer::run {

// Wants no_new_privs to be set. EPERM for what is refused; a foreign architecture is killed.
[[nodiscard]] Result<void> install_filter();

}  // namespace lilith::enforcer::run
