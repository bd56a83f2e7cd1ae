#pragma once
// What a thread, and all that it starts, gives up of its power for good (capabilities(7)).

#include "audit/base/result.hpp"

#include <cstdint>

namespace lilith::confine {

// A set of capabilities, a bit for each, as CapEff of proc(5) shows it.
using Capabilities = std::uint64_t;

// Gives up all but those of `keep` that the thread has; the same ones are the most that a program
// it starts can have. Returns what is left.
[[nodiscard]] Result<Capabilities> keep_capabilities(Capabilities keep);

// Programs with the setuid bit and file capabilities give nothing from now on; Landlock and seccomp
// want that.
[[nodiscard]] Result<void> forbid_new_privileges();

}  // namespace lilith::confine
