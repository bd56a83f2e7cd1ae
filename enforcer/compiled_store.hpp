#pragma once
// Compiled policies on disk: one file a policy, named by the SHA-256 of the policy's bytes. A hook
// believes them only where nobody but root, or the one user to whom root gave the directory (the
// recorder's), can have written them.

#include "audit/base/result.hpp"

#include <string>
#include <string_view>

namespace lilith::enforcer {

// The bytes, unchecked; empty when there are none for this policy. kIo: there are, and somebody
// else could have written them; the message says who.
[[nodiscard]] Result<std::string> read_compiled(const std::string& directory,
                                                std::string_view sha256);
// Compiles the policy and puts it there, whole; returns the path. kInvalidInput: the policy has
// errors. kIo: it could not be written, or hooks would not believe it there.
[[nodiscard]] Result<std::string> write_compiled(const std::string& directory,
                                                 std::string_view yaml, std::string_view engine);

}  // namespace lilith::enforcer
