#pragma once
// The logs that a command was given: which files they are, and their events in order.

#include "audit/base/result.hpp"
#include "audit/event.hpp"

#include <cstdint>
#include <functional>
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
  void problem(std::string text);
  void add(const InputReport& other);
};

// A directory stands for the logs in it, a log for its rotated files and itself, oldest first; "-"
// is standard input.
[[nodiscard]] Result<std::vector<std::string>> files_of(const std::vector<std::string>& logs);

// Decodes every line. What can't be read is listed in `report` and left out; an error only when a
// file can't be opened.
[[nodiscard]] Result<void> each_event(const std::vector<std::string>& files, InputReport& report,
                                      const std::function<void(const audit::Event&)>& visit);

}  // namespace lilith::replay
