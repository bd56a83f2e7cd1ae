// What an agent hands to its hook, for every agent: it is understood or refused, and what is
// understood names the tool that waits.
#include "rules/agents/agents.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lilith::agents;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::string_view spelled : agent_names()) {
    const auto agent = agent_from_name(spelled);
    if (!agent) std::abort();
    for (const std::string_view hint : {"", "PreToolUse", "preToolUse"}) {
      const auto event = read_hook_event(*agent, text, hint);
      if (event && event->decides && event->tool.empty()) std::abort();
      if (!event && event.error().message.empty()) std::abort();
    }
  }
  return 0;
}
