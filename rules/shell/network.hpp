#pragma once
// Hosts in the network positions of known programs (decisions.md 17): curl, wget, git, pip, npm,
// rsync, scp. Sources: the programs' manuals.

#include "rules/command.hpp"

#include <cstddef>
#include <vector>

namespace lilith::rules::shell {

[[nodiscard]] std::vector<HostUse> dialled_hosts(const std::vector<Argument>& argv,
                                                 std::size_t offset);

}  // namespace lilith::rules::shell
