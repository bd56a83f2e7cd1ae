#include "shipper/watcher.hpp"

#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

// statfs(2): file systems that another machine can change, without inotify here.
constexpr unsigned long kNfs = 0x6969, kSmb = 0x517B, kSmb2 = 0xFE534D42, kCifs = 0xFF534D42,
                        kFuse = 0x65735546;

bool tells_changes(const std::string& directory) {
  struct statfs what{};
  if (::statfs(directory.c_str(), &what) != 0) return false;
  const auto type = static_cast<unsigned long>(what.f_type);
  return type != kNfs && type != kSmb && type != kSmb2 && type != kCifs && type != kFuse;
}

void add_one(int event_fd) {
  const std::uint64_t one = 1;
  (void)!::write(event_fd, &one, sizeof one);
}

}  // namespace

Watcher::Watcher()
    : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  complete_ = inotify_.valid();
  thread_ = std::thread([this] { run(); });
}

void Watcher::watch(const std::vector<std::string>& sources) {
  for (const std::string& source : sources) {
    const std::string directory = source.substr(0, source.rfind('/') + 1);
    const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(),
                                          IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE);
    if (watch < 0 || !tells_changes(directory)) complete_ = false;
  }
}

Watcher::~Watcher() {
  add_one(wake_.get());
  thread_.join();
}

void Watcher::tell(int event_fd) {
  const std::scoped_lock lock(mutex_);
  told_.push_back(event_fd);
}

void Watcher::forget(int event_fd) {
  const std::scoped_lock lock(mutex_);
  std::erase(told_, event_fd);
}

void Watcher::run() {
  std::vector<char> events(std::size_t{64} * 1024);
  for (;;) {
    pollfd wait[] = {{inotify_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    if (::poll(wait, 2, -1) < 0 && errno != EINTR) return;
    if (wait[1].revents != 0) return;
    // What happened does not matter (nor that the queue overflowed): the workers look.
    while (::read(inotify_.get(), events.data(), events.size()) > 0) {
    }
    const std::scoped_lock lock(mutex_);
    for (const int fd : told_) add_one(fd);
  }
}

}  // namespace lilith::shipper
