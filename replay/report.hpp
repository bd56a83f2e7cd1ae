#pragma once
// The replay's result as text for people and as JSON for programs; one model, two renderers.

#include "replay/replay.hpp"
#include "replay/summary.hpp"

#include <string>

namespace lilith::replay {

// Something is missing in the input: torn or unreadable lines, or seqs that no line carries.
[[nodiscard]] bool incomplete(const Summary& summary);

[[nodiscard]] std::string to_text(const Summary& summary, std::size_t top);
[[nodiscard]] std::string to_json(const Summary& summary, std::size_t top);
[[nodiscard]] std::string to_text(const Fidelity& fidelity);
[[nodiscard]] std::string to_json(const Fidelity& fidelity);

// Two candidates against each other: who says what, and who is newly blocked by the second.
[[nodiscard]] std::string diff_to_text(const Summary& summary, std::size_t top);
[[nodiscard]] std::string diff_to_json(const Summary& summary, std::size_t top);

}  // namespace lilith::replay
