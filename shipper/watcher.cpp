#include "shipper/watcher.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <poll.h>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

// statfs(2): file systems that another machine can change, without inotify here.
constexpr unsigned long kNfs = 0x6969, kSmb = 0x517B, kSmb2 = 0xFE534D42, kCifs = 0xFF534D42,
                        kFuse = 0x65735546;

constexpr std::uint32_t kChanges =
    IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MOVE_SELF;

// The masks of all events in what inotify(7) gave, together.
std::uint32_t all_of(std::string_view events) {
  std::uint32_t masks = 0;
  while (events.size() >= sizeof(inotify_event)) {
    inotify_event event{};
    std::memcpy(&event, events.data(), sizeof event);
    masks |= event.mask;
    events.remove_prefix(std::min(sizeof event + event.len, events.size()));
  }
  return masks;
}

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
  const std::scoped_lock lock(mutex_);
  for (const std::string& source : sources)
    if (std::find(sources_.begin(), sources_.end(), source) == sources_.end())
      sources_.push_back(source);
  watch_all();
}

// A directory that is watched already stays so.
void Watcher::watch_all() {
  const auto add = [this](const std::string& path) {
    const std::string directory = path.substr(0, path.rfind('/') + 1);
    const int watch = ::inotify_add_watch(inotify_.get(), directory.c_str(), kChanges);
    if (watch < 0 || !tells_changes(directory)) complete_ = false;
  };
  for (const std::string& source : sources_) {
    add(source);
    struct stat status{};
    if (::lstat(source.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) continue;
    // A link that leads nowhere is looked at without being told.
    std::error_code error;
    const auto target = std::filesystem::canonical(source, error);
    if (error) {
      complete_ = false;
    } else {
      add(target.string());
    }
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
    // What happened matters little (nor that the queue overflowed): the workers look.
    std::uint32_t happened = 0;
    for (ssize_t got = 0; (got = ::read(inotify_.get(), events.data(), events.size())) > 0;)
      happened |= all_of(std::string_view(events.data(), static_cast<std::size_t>(got)));
    const std::scoped_lock lock(mutex_);
    if ((happened & (IN_IGNORED | IN_UNMOUNT | IN_MOVE_SELF)) != 0) complete_ = false;
    if ((happened & (IN_CREATE | IN_MOVED_TO)) != 0) watch_all();  // it may be a link
    for (const int fd : told_) add_one(fd);
  }
}

}  // namespace lilith::shipper
