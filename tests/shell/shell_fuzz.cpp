#include "rules/command.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto analysis = lilith::rules::analyse_command(text);
  if (analysis.undecidable && !analysis.commands.empty()) std::abort();
  for (const auto& command : analysis.commands) {
    if (command.name.empty() || command.argv.empty()) std::abort();
    if (lilith::rules::CommandPattern("bash -c").matches(command) && command.name != "bash")
      std::abort();
  }
  return 0;
}
