// A compiled policy's tree from anyone's bytes, behind a header that is right: never a crash, never
// a policy with an error in it.

#include "audit/base/sha256.hpp"
#include "rules/policy_compiled.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lilith;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string sha256(64, '0');
  std::string compiled = "lilith policy 1\n1\n" + sha256 + "\n" + sha256_hex(bytes) + "\n";
  compiled += bytes;
  for (const std::string_view form : {std::string_view(compiled), bytes}) {
    const auto load = rules::load_compiled_policy(form, sha256, "1", "fuzz.yaml");
    if (!load) continue;
    for (const auto& diagnostic : load->diagnostics) {
      if (diagnostic.severity == rules::Severity::kError && load->policy != nullptr) std::abort();
    }
  }
  return 0;
}
