#pragma once
// A bar for people who wait: how far, how fast, how long still.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lilith::replay {

// One line without LF. `total` is 0 where the end can't be known (compressed logs, a pipe): then
// there is neither bar nor time left.
[[nodiscard]] std::string progress_line(std::uint64_t done, std::uint64_t total,
                                        std::chrono::duration<double> elapsed);

// Draws to standard error while that is a terminal, a few times a second; does nothing else.
class Progress {
 public:
  explicit Progress(const std::vector<std::string>& files);
  ~Progress();  // takes the line away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Empty where nobody looks.
  [[nodiscard]] std::function<void(std::uint64_t bytes)> callback();

 private:
  bool shown_ = false, drawn_ = false;
  std::uint64_t total_ = 0;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace lilith::replay
