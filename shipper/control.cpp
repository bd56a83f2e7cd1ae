#include "shipper/control.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <signal.h>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace lilith::shipper {
namespace {

void add_one(int event_fd) {
  const std::uint64_t one = 1;
  (void)!::write(event_fd, &one, sizeof one);
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

}  // namespace

Control::Control(std::string config_path, std::string config_text, std::stop_source& stop,
                 int impatient_exit)
    : path_(std::move(config_path)),
      text_(std::move(config_text)),
      stop_(stop),
      impatient_exit_(impatient_exit),
      changes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      reload_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int one : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, one);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  // The directory: a file that is replaced by rename(2) is another file afterwards.
  ::inotify_add_watch(changes_.get(), directory_of(path_).c_str(),
                      IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE);
  thread_ = std::thread([this] { run(); });
}

Control::~Control() {
  add_one(end_.get());
  thread_.join();
}

void Control::take_signals() {
  signalfd_siginfo got{};
  while (::read(signals_.get(), &got, sizeof got) == sizeof got) {
    if (got.ssi_signo == SIGHUP) {
      add_one(reload_.get());
    } else if (stop_.stop_requested()) {
      ::_exit(impatient_exit_);
    } else {
      stop_.request_stop();
    }
  }
}

void Control::look_at_file() {
  auto now = read_file(path_, limits::kPolicyBytesMax);
  // Away for a moment between two steps of an editor: what comes next is seen.
  if (!now || *now == text_) return;
  text_ = std::move(*now);
  add_one(reload_.get());
}

void Control::take_changes() {
  alignas(inotify_event) char events[16 * 1024];
  const std::size_t slash = path_.rfind('/');
  const std::string_view file =
      slash == std::string::npos ? path_ : std::string_view(path_).substr(slash + 1);
  bool ours = false;
  ssize_t got = 0;
  while ((got = ::read(changes_.get(), events, sizeof events)) > 0) {
    for (ssize_t at = 0; at < got;) {
      const auto* const event = reinterpret_cast<const inotify_event*>(events + at);
      const std::string_view name = event->len > 0 ? event->name : "";
      // Kubernetes mounts a file as a link into `..data`, which is replaced. No name: an overflow.
      ours = ours || name == file || name.empty() || name.starts_with("..");
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  if (ours) look_at_file();
}

void Control::run() {
  look_at_file();  // changed since it was read for the start
  for (;;) {
    pollfd fds[] = {
        {signals_.get(), POLLIN, 0}, {changes_.get(), POLLIN, 0}, {end_.get(), POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) take_signals();
    if (fds[1].revents != 0) take_changes();
    if (fds[2].revents != 0) return;
  }
}

}  // namespace lilith::shipper
