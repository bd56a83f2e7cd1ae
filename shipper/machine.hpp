#pragma once
// What a worker asks of the machine it runs on, beside the clock: followers of its sources, its
// checkpoints, to wait and to be woken, and chance. In tests/shipper/simulation_test.cpp one thread
// and one seed stand in for all of it.

#include "audit/base/result.hpp"
#include "audit/read/reader.hpp"
#include "shipper/checkpoint.hpp"
#include "shipper/watcher.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

namespace lilith::shipper {

class Machine {
 public:
  virtual ~Machine() = default;
  // As audit::Follower::open().
  [[nodiscard]] virtual Result<std::unique_ptr<audit::Follower>> follow(
      const audit::FollowOptions& options, const audit::Position& start) = 0;
  // `failed` may be called by another thread.
  [[nodiscard]] virtual std::unique_ptr<Checkpoints> checkpoints(
      CheckpointFile file, std::function<void(const Error&)> failed) = 0;
  // As Watcher's.
  virtual void tell(int event_fd) = 0;
  virtual void forget(int event_fd) = 0;
  // Until `event_fd` is written to, the peer behind `watched_fd` (-1: none) ends the connection, or
  // it is time to look at the sources again: false. True: nothing of this happened in `at_most`.
  virtual bool rest(int event_fd, int watched_fd, std::chrono::milliseconds at_most) = 0;
  // Until the time is over or a stop is asked for.
  virtual void pause(std::chrono::milliseconds time, const std::stop_token& stop) = 0;
  [[nodiscard]] virtual std::uint64_t random_seed() = 0;
};

// The one we run on; any number of workers may use it at a time.
[[nodiscard]] std::unique_ptr<Machine> this_machine(Watcher& watcher);

}  // namespace lilith::shipper
