#pragma once
// What the command groups of `lilith` share: exit codes, output, complaints.

#include "audit/base/result.hpp"

#include <string>
#include <string_view>

namespace lilith::enforcer {

// docs/exit-codes.md
inline constexpr int kGood = 0, kFound = 1, kUsage = 2, kIncomplete = 3;

// To standard output; a reader that went away (head, less) is no error of ours.
void print(std::string_view text);
// "lilith: MESSAGE" to standard error; returns `code`.
int complain(const std::string& message, int code);
// kUsage for bad input, kIncomplete for what could not be read.
[[nodiscard]] int code_of(const Error& error);

}  // namespace lilith::enforcer
