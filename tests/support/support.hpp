#pragma once
// What tests of every room share: a clock that a test turns, temporary directories, processes, a
// loopback receiver, and the way to the recorded data beside the checkout.

#include "audit/base/clock.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::test {

// Stands still until advance() moves it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::string_view rfc3339 = "2026-11-24T00:00:00Z");
  [[nodiscard]] WallTime now() const override { return wall_; }
  [[nodiscard]] MonotonicTime monotonic() const override { return monotonic_; }
  void advance(std::chrono::microseconds by) {
    wall_ += by;
    monotonic_ += by;
  }

 private:
  WallTime wall_;
  MonotonicTime monotonic_{};
};

// Removed with everything in it at the end of the scope.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

[[nodiscard]] std::string read_text(const std::string& path);     // fails the test when it can't
void write_text(const std::string& path, std::string_view text);  // makes parent directories
void append_text(const std::string& path, std::string_view text);
[[nodiscard]] std::vector<std::string> lines_of(
    std::string_view text);  // without LFs; a torn last line counts

// A program run to its end.
struct ProcessResult {
  int exit_code = -1;  // -1 when ended by a signal
  int signal = 0;
  bool timed_out = false;  // killed after `timeout`
  std::string out, err;
  std::chrono::microseconds wall{};
};
struct ProcessOptions {
  std::string input;
  std::map<std::string, std::string> environment;  // added to (and replacing) the test's own
  std::string directory;
  std::chrono::milliseconds timeout{60'000};
  std::optional<unsigned> uid;  // run as this user (root only)
};
[[nodiscard]] ProcessResult run(const std::vector<std::string>& argv,
                                const ProcessOptions& options = {});

// A program running beside the test; killed and reaped at the end of the scope.
class Process {
 public:
  explicit Process(const std::vector<std::string>& argv, const ProcessOptions& options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  void signal(int number);
  ProcessResult wait(std::chrono::milliseconds timeout = std::chrono::milliseconds(60'000));
  [[nodiscard]] int pid() const;
  [[nodiscard]] bool running();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Accepts TCP connections or datagrams on loopback and keeps every byte received.
class Receiver {
 public:
  enum class Kind { kTcp, kUdp };
  explicit Receiver(Kind kind, int port = 0);  // port 0: a free one
  ~Receiver();
  [[nodiscard]] int port() const;
  [[nodiscard]] std::string received() const;
  [[nodiscard]] std::size_t connections() const;
  // Waits until `done(received bytes)` holds or the timeout passes; returns whether it held.
  template <class Predicate>
  bool wait_for(Predicate done,
                std::chrono::milliseconds timeout = std::chrono::milliseconds(30'000)) {
    return wait_until([&] { return done(received()); }, timeout);
  }
  void stop();  // closes the listening socket and all connections, as a receiver that goes away

 private:
  bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds timeout);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Polls `done` until it holds or the timeout passes; for conditions that another process brings
// about.
bool eventually(const std::function<bool()>& done,
                std::chrono::milliseconds timeout = std::chrono::milliseconds(30'000));

// The shared data beside the checkout (LILITH_SHARED, else ../shared), or nullopt. Tests that need
// it say LILITH_NEEDS_SHARED(file) first and are reported as skipped by name where it is absent.
[[nodiscard]] std::optional<std::string> shared_path(std::string_view file);

// Compares with tests/golden/`name`; LILITH_UPDATE_GOLDEN=1 writes it instead.
void expect_golden(std::string_view name, std::string_view actual);

#define LILITH_NEEDS_SHARED(variable, file)                                                    \
  const auto variable##_found = ::lilith::test::shared_path(file);                             \
  if (!variable##_found) GTEST_SKIP() << "shared/" << (file) << " is not beside the checkout"; \
  const std::string& variable = *variable##_found

}  // namespace lilith::test
