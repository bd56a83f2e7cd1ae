#include "replay/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

namespace lilith::replay {
namespace {

constexpr std::size_t kBarColumns = 30;
constexpr std::chrono::milliseconds kDrawInterval{200};
constexpr double kMegabyte = 1e6;

// Bytes of all files, or 0 when some of them is no plain file of text.
std::uint64_t total_of(const std::vector<std::string>& files) {
  std::uint64_t total = 0;
  for (const std::string& file : files) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (error || file.ends_with(".gz") || file.ends_with(".zst")) return 0;
    total += size;
  }
  return total;
}

}  // namespace

std::string progress_line(std::uint64_t done, std::uint64_t total,
                          std::chrono::duration<double> elapsed) {
  const double rate = elapsed.count() > 0 ? static_cast<double>(done) / elapsed.count() : 0;
  const std::string speed = fmt::format("{:.1f} MB, {:.1f} MB/s",
                                        static_cast<double>(done) / kMegabyte, rate / kMegabyte);
  if (total == 0) return speed;
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto full = static_cast<std::size_t>(part * static_cast<double>(kBarColumns));
  std::string out = fmt::format("[{}{}] {:3.0f} %, {}", std::string(full, '#'),
                                std::string(kBarColumns - full, '.'), 100 * part, speed);
  if (rate > 0 && done < total) {
    const auto left =
        static_cast<std::uint64_t>(std::llround(static_cast<double>(total - done) / rate));
    out += fmt::format(", {}:{:02} left", left / 60, left % 60);
  }
  return out;
}

Progress::Progress(const std::vector<std::string>& files)
    : shown_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {
  if (shown_) total_ = total_of(files);
}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\x1B[K", stderr);
}

std::function<void(std::uint64_t)> Progress::callback() {
  if (!shown_) return {};
  return [this](std::uint64_t bytes) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < kDrawInterval) return;
    last_ = now;
    drawn_ = true;
    std::fprintf(stderr, "\r%s\x1B[K", progress_line(bytes, total_, now - start_).c_str());
    std::fflush(stderr);
  };
}

}  // namespace lilith::replay
