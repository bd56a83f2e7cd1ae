#pragma once
// The compiled form of a policy: the file's tree of values as it stands after the YAML parser,
// which is most of the work of loading a short policy. Everything after the parser is the same code
// for both forms, so that a compiled policy cannot decide otherwise than its file.
//
// Form: "lilith policy 1\n", the program version and LF, SHA-256 of the policy's bytes in hex and
// LF, SHA-256 of the rest in hex and LF, then the tree in preorder. A node is one byte (kind, and 4
// for quoted), line and column as varints, and then its text (length and bytes) or its count of
// children; a child of a map is two nodes. Varints are little endian, 7 bits a byte.

#include "audit/base/result.hpp"
#include "rules/policy.hpp"

#include <string>
#include <string_view>

namespace lilith::rules {

// kInvalidInput, with the first diagnostic, for a policy with errors.
[[nodiscard]] Result<std::string> compile_policy(std::string_view yaml, std::string_view engine);

// `compiled` is kInvalidInput unless it is whole and was made of exactly these bytes by exactly
// this program version. `sha256` is that of the policy's bytes.
[[nodiscard]] Result<PolicyLoad> load_compiled_policy(std::string_view compiled,
                                                      std::string_view sha256,
                                                      std::string_view engine,
                                                      std::string_view file_name);

}  // namespace lilith::rules
