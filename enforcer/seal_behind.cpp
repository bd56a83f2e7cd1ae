#include "enforcer/seal_behind.hpp"

#include <csignal>
#include <exception>
#include <fcntl.h>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

constexpr unsigned kSecondsMax = 30;  // of a disk that hangs
constexpr std::chrono::seconds kLockTimeout{5};

// The agent waits for the end of the hook's output, and signals that it sends to the hook's group
// are not for this process.
void detach() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  ::setsid();
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (nowhere < 0 || ::dup2(nowhere, fd) != fd) ::_exit(1);
  }
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::alarm(kSecondsMax);
}

}  // namespace

void seal_behind(const audit::LogOptions& log) {
  if (::fork() != 0) return;
  detach();
  try {
    audit::LogOptions options = log;
    options.lock_timeout = kLockTimeout;
    const auto sealed = audit::seal_log(options, audit::SealReason::kInterval);
    ::_exit(sealed ? 0 : 1);
  } catch (const std::exception&) {
    ::_exit(1);
  }
}

}  // namespace lilith::enforcer
