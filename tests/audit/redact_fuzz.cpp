// Redaction of what an agent wrote: never a crash, every kind that is named stands in the text, and
// what is not named is as it was.

#include "audit/redact.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string given(reinterpret_cast<const char*>(data), size);
  std::string text = given;
  const std::string kinds = lilith::audit::redact_text(text);
  if (kinds.empty() && text != given) std::abort();
  for (std::size_t from = 0; from < kinds.size();) {
    const std::size_t end = std::min(kinds.find(',', from), kinds.size());
    const std::string mark = "[redacted:" + kinds.substr(from, end - from) + "]";
    if (text.find(mark) == std::string::npos) std::abort();
    from = end + 1;
  }
  return 0;
}
