#pragma once
// The system calls that would be a way around the fence (docs/run.md has the list), refused by a
// seccomp filter (seccomp(2)) of the calling thread and all that it starts.

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"

#include <functional>
#include <string>

namespace lilith::enforcer::run {

// Wants no_new_privs to be set. EPERM for what is refused; a foreign architecture is killed. With
// `asks`, who wants a unix socket of packets waits for hand_recorder() of whoever holds the
// descriptor that is returned (seccomp_unotify(2)); without, that is refused as well, and the
// descriptor is none.
[[nodiscard]] Result<UniqueFd> install_filter(bool asks);

// Answers one that waits: with a socket that is connected to the recorder at path(), and to nothing
// else for as long as it lives. EPERM where path() is empty.
void hand_recorder(int asking, const std::function<std::string()>& path);

}  // namespace lilith::enforcer::run
