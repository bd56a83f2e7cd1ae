#pragma once
// An audit log for people: one line an event.

#include "audit/base/result.hpp"
#include "audit/event.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer {

// Outside text in it is escaped; colour codes only when asked for. Without LF.
[[nodiscard]] std::string human_line(const audit::Event& event, bool colour);

struct ShowOptions {
  std::vector<std::string> logs;  // a live log stands for its rotated files too when `whole_series`
  bool whole_series = false;
  std::size_t last = 0;  // 0: all
  bool json = false;     // the lines themselves
  bool colour = false;
};
// Calls `put` with each line. kNotFound when a log is not there. Lines that are no events are shown
// as such. Returns whether all of the input could be read.
[[nodiscard]] Result<bool> show(const ShowOptions& options,
                                const std::function<void(std::string_view)>& put);
// The last `options.last` lines of a log and then what is appended, until `put` returns false.
[[nodiscard]] Result<void> follow(const ShowOptions& options,
                                  const std::function<bool(std::string_view)>& put);

}  // namespace lilith::enforcer
