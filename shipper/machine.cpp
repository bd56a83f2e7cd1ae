#include "shipper/machine.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <poll.h>
#include <random>

namespace lilith::shipper {
namespace {

using std::chrono::milliseconds;

// Where the kernel does not tell of changes, and where it does: what it misses all the same is
// found at the next heartbeat, whose event wakes every worker. This is a little longer than the
// time between two of them by default, so that it ends only where heartbeats are rarer.
constexpr milliseconds kPollInterval{1'000}, kSafetyInterval{310'000};

class ThisMachine final : public Machine {
 public:
  explicit ThisMachine(Watcher& watcher) : watcher_(watcher) {}

  Result<std::unique_ptr<audit::Follower>> follow(const audit::FollowOptions& options,
                                                  const audit::Position& start) override {
    return audit::Follower::open(options, start);
  }

  std::unique_ptr<Checkpoints> checkpoints(CheckpointFile file,
                                           std::function<void(const Error&)> failed) override {
    return std::make_unique<CheckpointWriter>(std::move(file), std::move(failed));
  }

  void tell(int event_fd) override { watcher_.tell(event_fd); }
  void forget(int event_fd) override { watcher_.forget(event_fd); }

  bool rest(int event_fd, int watched_fd, milliseconds at_most) override {
    const milliseconds look = watcher_.complete() ? kSafetyInterval : kPollInterval;
    pollfd wait[] = {{event_fd, POLLIN, 0}, {watched_fd, POLLRDHUP, 0}};
    return ::poll(wait, 2, static_cast<int>(std::min(look, at_most).count())) == 0 &&
           at_most < look;
  }

  void pause(milliseconds time, const std::stop_token& stop) override {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, time, [] { return false; });
  }

  std::uint64_t random_seed() override { return std::random_device{}(); }

 private:
  Watcher& watcher_;
};

}  // namespace

std::unique_ptr<Machine> this_machine(Watcher& watcher) {
  return std::make_unique<ThisMachine>(watcher);
}

}  // namespace lilith::shipper
