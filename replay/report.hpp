#pragma once
// The replay's result as text for people and as JSON for programs; one model, two renderers.

#include "replay/input.hpp"
#include "replay/replay.hpp"

#include <string>

namespace lilith::replay {

[[nodiscard]] std::string to_text(const Replayer& replayer, const InputReport& input,
                                  std::size_t top);
[[nodiscard]] std::string to_json(const Replayer& replayer, const InputReport& input,
                                  std::size_t top);
[[nodiscard]] std::string to_text(const Fidelity& fidelity);
[[nodiscard]] std::string to_json(const Fidelity& fidelity);

}  // namespace lilith::replay
