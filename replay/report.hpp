#pragma once
// The replay's result as text for people and as JSON for programs; one model, two renderers.

#include "replay/replay.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::replay {

// What reading the files had to say.
struct InputReport {
  std::uint64_t files = 0, lines = 0;
  std::uint64_t unreadable = 0;       // lines that are no events
  std::uint64_t torn = 0;             // files that end without LF
  std::vector<std::string> problems;  // the first ones, each with file and line
  [[nodiscard]] bool incomplete() const { return unreadable + torn > 0 || !problems.empty(); }
};

[[nodiscard]] std::string to_text(const Replayer& replayer, const InputReport& input,
                                  std::size_t top);
[[nodiscard]] std::string to_json(const Replayer& replayer, const InputReport& input,
                                  std::size_t top);
[[nodiscard]] std::string to_text(const Fidelity& fidelity);
[[nodiscard]] std::string to_json(const Fidelity& fidelity);

}  // namespace lilith::replay
