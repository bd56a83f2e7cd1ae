#pragma once

#include <string>

namespace lilith::enforcer {

// `lilith hook ...`: the words after "hook". Prints the verdict and ends the process with the exit
// code of docs/exit-codes.md; a wrong option is a deny, since an agent is waiting for an answer.
// `hand_over`: HookOptions.
[[noreturn]] void hook_main(int argc, char** argv, const char* version,
                            void (*hand_over)() = nullptr);

[[nodiscard]] std::string hook_help();

}  // namespace lilith::enforcer
