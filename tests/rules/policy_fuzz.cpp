// What an attacker or a typing error could put into a policy file: never a crash, and never a
// policy with an error.

#include "rules/policy.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto load =
      lilith::rules::load_policy({reinterpret_cast<const char*>(data), size}, "fuzz.yaml");
  for (const auto& diagnostic : load.diagnostics) {
    if (diagnostic.severity == lilith::rules::Severity::kError && load.policy != nullptr)
      std::abort();
  }
  if (load.policy == nullptr && load.diagnostics.empty()) std::abort();
  return 0;
}
