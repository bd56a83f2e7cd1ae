// lilith-ship to a loopback TCP receiver against a raw read and send loop over the same log, one
// after the other in one

#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"
#include "tests/perf/bench_log.hpp"
#include "tests/support/support.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace lilith;
using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kCalls = 300'000;
constexpr int kRuns = 3;

// Accepts one connection after the other and counts events (closing "}}" and LF or the next frame
// are not looked at: the bytes of `"hash":"` are, which every line has once).
class Counter {
 public:
  Counter() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(socket_.get(), 1) != 0 ||
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::exit(1);
    }
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] int port() const { return port_; }

  // Reads until `bytes_min` bytes came on one connection or it ends; returns the time of the last
  // byte.
  SteadyClock::time_point drain(std::uint64_t bytes_min) {
    const UniqueFd client(::accept(socket_.get(), nullptr, nullptr));
    std::vector<char> buffer(std::size_t{1} << 20);
    std::uint64_t have = 0;
    auto last = SteadyClock::now();
    for (;;) {
      const ssize_t got = ::read(client.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      have += static_cast<std::uint64_t>(got);
      last = SteadyClock::now();
    }
    complete_ = have >= bytes_min;
    return last;
  }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  UniqueFd socket_;
  int port_ = 0;
  bool complete_ = false;
};

void raw_loop(const std::string& path, int port) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    std::exit(1);
  std::vector<char> buffer(std::size_t{1} << 20);
  for (ssize_t got = 0; (got = ::read(file.get(), buffer.data(), buffer.size())) > 0;) {
    if (!write_all(socket.get(), {buffer.data(), static_cast<std::size_t>(got)})) std::exit(1);
  }
}

template <class Send>
double seconds(Counter& counter, std::uint64_t bytes, Send send) {
  SteadyClock::time_point end;
  std::thread receiver([&] { end = counter.drain(bytes); });
  const auto start = SteadyClock::now();
  send();
  receiver.join();
  if (!counter.complete()) {
    std::fprintf(stderr, "the receiver did not get everything\n");
    std::exit(1);
  }
  return std::chrono::duration<double>(end - start).count();
}

}  // namespace

int main() {
  const test::TempDir dir;
  const std::string log = test::make_log(dir.path(), kCalls);
  const std::uint64_t bytes = test::read_text(log).size();
  Counter counter;
  std::vector<double> raw, ship, ratios;
  for (int i = -1; i < kRuns; ++i) {  // the first one warms up
    const double raw_s = seconds(counter, bytes, [&] { raw_loop(log, counter.port()); });
    const std::string state = dir.file("state" + std::to_string(i));
    test::write_text(dir.file("ship.yaml"),
                     "version: \"1\"\nsources: [\"" + log + "\"]\nstate_dir: \"" + state +
                         "\"\nsinks:\n  - {name: soc, type: syslog, address: \"127.0.0.1:" +
                         std::to_string(counter.port()) + "\"}\n");
    const double ship_s = seconds(counter, bytes, [&] {
      (void)test::run({std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config",
                       dir.file("ship.yaml"), "--once"});
    });
    if (i < 0) continue;
    raw.push_back(raw_s);
    ship.push_back(ship_s);
    ratios.push_back(raw_s / ship_s);
  }
  const double events = static_cast<double>(kCalls + 1);
  std::printf(
      "raw read+send  %10.0f events/s  %7.0f MB/s\nlilith-ship    %10.0f events/s  %7.0f "
      "MB/s\nratio          %10.2f (medians of %d)\n",
      events / test::median(raw), static_cast<double>(bytes) / 1e6 / test::median(raw),
      events / test::median(ship), static_cast<double>(bytes) / 1e6 / test::median(ship),
      test::median(ratios), kRuns);
}
