#pragma once
// Wakes the workers when something happened in a source's directory, or in the one that a link in
// its place leads to.

#include "audit/base/unique_fd.hpp"

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lilith::shipper {

class Watcher {
 public:
  Watcher();
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // `sources` are paths of logs; their directories are watched as well from now on.
  void watch(const std::vector<std::string>& sources);
  // Adds one to this eventfd(2) after every change, from now on; the descriptor must outlive the
  // watcher's use of it: forget() ends that.
  void tell(int event_fd);
  void forget(int event_fd);
  // Whether the kernel tells of every change: watch limits, file systems that other machines
  // change, and directories that were moved or removed prevent it, from then on. What it never
  // tells is in docs/shipping.md ("When it looks").
  [[nodiscard]] bool complete() const { return complete_.load(); }

 private:
  void run();
  void watch_all();

  UniqueFd inotify_, wake_;
  std::atomic<bool> complete_{false};
  std::mutex mutex_;
  std::vector<std::string> sources_;  // guarded by mutex_
  std::vector<int> told_;             // guarded by mutex_
  std::thread thread_;
};

}  // namespace lilith::shipper
