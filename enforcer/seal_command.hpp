#pragma once
// `lilith seal`: the key of a sealed log (docs/seals.md).

#include <string>

namespace lilith::enforcer {

// What is left empty comes from the audit section of the policy, found as the hook finds it.
struct SealArguments {
  std::string key;     // path of the key
  std::string log;     // the log that it seals
  std::string policy;  // --policy
};

// Each returns an exit code of docs/exit-codes.md and prints for people on standard error.
[[nodiscard]] int seal_init(const SealArguments& arguments);        // prints the verify key
[[nodiscard]] int seal_rotate(const SealArguments& arguments);      // a checkpoint now
[[nodiscard]] int seal_export_key(const SealArguments& arguments);  // prints the verify key

}  // namespace lilith::enforcer
