#pragma once
// The strict reader behind analyse_command(): one pass of recursive descent over POSIX shell and
// the bash forms that agents write, POSIX.1-2017 XCU chapter 2 and the bash 5.2 manual. What it
// does not understand as bash would, it refuses by throwing Refusal inside the class; nothing of
// that leaves read_line().

#include "rules/command.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules::shell {

// Adds to `out` what `text` would do; sets out.undecidable when it cannot be understood.
void read_line(std::string_view text, CommandAnalysis& out);

}  // namespace lilith::rules::shell
