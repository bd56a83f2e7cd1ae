#pragma once
// The checkpoint of a sealed log, made behind a hook that has answered.

#include "audit/log.hpp"

namespace lilith::enforcer {

// Makes the checkpoint that `log` soon wants in a process of its own, which nobody waits for: it
// has none of the hook's descriptors, session or signal handlers. Where it can't be made, the next
// writers try again, and the one that it is due for makes it and says what is wrong.
void seal_behind(const audit::LogOptions& log);

}  // namespace lilith::enforcer
