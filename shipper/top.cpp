#include "shipper/top.hpp"

#include "audit/base/file.hpp"
#include "shipper/report.hpp"
#include "shipper/ship.hpp"

#include <chrono>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

// ECMA-48 and xterm's control sequences.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";  // alternate screen, no cursor
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H", kEraseLine = "\x1b[K", kEraseBelow = "\x1b[J";
constexpr int kIntervalMs = 1000;
constexpr char kControlC = 3;

// Keys one by one and unseen, as long as it lives.
class Terminal {
 public:
  Terminal() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    (void)write_all(STDOUT_FILENO, kEnter).has_value();
  }
  ~Terminal() {
    (void)write_all(STDOUT_FILENO, kLeave).has_value();
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

 private:
  termios before_{};
};

bool wants_to_leave() {
  pollfd keys{STDIN_FILENO, POLLIN, 0};
  if (::poll(&keys, 1, kIntervalMs) <= 0) return false;
  char key = 0;
  return ::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == kControlC;
}

std::string frame(const std::string& screen) {
  std::string out(kHome);
  for (const char c : screen) {
    if (c == '\n') out += kEraseLine;
    out.push_back(c);
  }
  return out.append(kEraseBelow);
}

}  // namespace

Result<void> show_top(const Config& config) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0)
    return fail(ErrorCode::kInvalidInput, "--top needs a terminal; `status` alone does not");
  auto before = status(config);
  if (!before) return pass_error(before);
  auto before_at = std::chrono::steady_clock::now();
  const Terminal terminal;
  for (double seconds = 0;;) {
    auto now = status(config);
    if (!now) return pass_error(now);
    const auto now_at = std::chrono::steady_clock::now();
    if (seconds > 0) seconds = std::chrono::duration<double>(now_at - before_at).count();
    winsize size{};
    ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    const std::size_t rows = size.ws_row > 1 ? size.ws_row - 1U : 23U;
    const std::size_t columns = size.ws_col > 0 ? size.ws_col : 80U;
    const std::string screen = report_screen(*now, *before, seconds, rows, columns);
    if (auto shown = write_all(STDOUT_FILENO, frame(screen)); !shown) return shown;
    before = std::move(now);
    before_at = now_at;
    seconds = 1;
    if (wants_to_leave()) return {};
  }
}

}  // namespace lilith::shipper
