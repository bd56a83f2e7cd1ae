#include "shipper/service_manager.hpp"

#include "audit/base/unique_fd.hpp"

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

// The whole number in an environment variable, or -1.
long long number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) return -1;
  const std::string_view digits(text);
  long long value = -1;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return status == std::errc{} && end == digits.data() + digits.size() ? value : -1;
}

}  // namespace

void notify_service_manager(const std::string& lines) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // A path, or @ before an abstract name.
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  const std::size_t size = std::strlen(path);
  if (size >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size);
  (void)::sendto(socket.get(), lines.data(), lines.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), length);
}

std::chrono::microseconds watchdog_interval() {
  const long long interval = number_in("WATCHDOG_USEC"), pid = number_in("WATCHDOG_PID");
  // For this process, and not for one that started us.
  if (interval <= 0 || (std::getenv("WATCHDOG_PID") != nullptr && pid != ::getpid())) return {};
  return std::chrono::microseconds(interval);
}

}  // namespace lilith::shipper
