// How long after its append an event is at the receiver: a writer appends at a steady rate through
// the real appender, lilith-ship sends over loopback TCP, and each event's way is timed. Printed,
// never judged.
//
//   ship_latency_bench [EVENTS_PER_SECOND [SECONDS]]

#include "audit/base/unique_fd.hpp"
#include "audit/log.hpp"
#include "tests/support/support.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace lilith;
using SteadyClock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;
constexpr int kRateDefault = 100, kSecondsDefault = 20, kRateMax = 100'000, kSecondsMax = 3'600;
constexpr std::size_t kWarmUpEvents = 50;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "ship_latency_bench: %s\n", why.c_str());
  std::_Exit(1);
}

// When each seq was there. Reads one connection until its end.
class Receiver {
 public:
  Receiver() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(socket_.get(), 1) != 0 ||
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      give_up("no loopback receiver");
    }
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] int port() const { return port_; }

  std::map<std::uint64_t, SteadyClock::time_point> read_all() {
    std::map<std::uint64_t, SteadyClock::time_point> arrived;
    const UniqueFd client(::accept(socket_.get(), nullptr, nullptr));
    std::vector<char> buffer(std::size_t{1} << 16);
    std::string text;
    for (ssize_t got = 0; (got = ::read(client.get(), buffer.data(), buffer.size())) > 0;) {
      const auto now = SteadyClock::now();
      text.append(buffer.data(), static_cast<std::size_t>(got));
      std::size_t from = 0;
      for (std::size_t lf = 0; (lf = text.find('\n', from)) != std::string::npos; from = lf + 1) {
        constexpr std::string_view kSeq = "\"seq\":\"";
        const std::size_t at = text.find(kSeq, from);
        if (at < lf)
          arrived.emplace(std::strtoull(text.c_str() + at + kSeq.size(), nullptr, 10), now);
      }
      text.erase(0, from);
    }
    return arrived;
  }

 private:
  UniqueFd socket_;
  int port_ = 0;
};

audit::Event event() {
  audit::Event one;
  one.decision = audit::Verdict::kDeny;
  one.action = audit::Action::kDenied;
  one.host = "ws-42";
  one.process_key = "ws-42/4711/8823912";
  one.process_pid = 4711;
  one.reason = "path /home/dev/.ssh/id_rsa is blocked by tool_invocations.read_file.path_blocklist";
  one.operation.kind = audit::OperationKind::kReadFile;
  one.operation.path = "/home/dev/.ssh/id_rsa";
  return one;
}

// When each was given to the log, by seq.
std::map<std::uint64_t, SteadyClock::time_point> append_steadily(const std::string& path, int rate,
                                                                 std::size_t count) {
  audit::LogOptions options;
  options.path = path;
  options.host = "ws-42";
  auto log = audit::open_log(options);
  if (!log) give_up(log.error().message);
  std::map<std::uint64_t, SteadyClock::time_point> given;
  const auto began = SteadyClock::now();
  for (std::size_t i = 0; i < count; ++i) {
    std::this_thread::sleep_until(began + i * std::chrono::nanoseconds(1'000'000'000 / rate));
    audit::Event one = event();
    const auto before = SteadyClock::now();
    const auto appended = (*log)->append(one);
    if (!appended) give_up(appended.error().message);
    if (i >= kWarmUpEvents) given.emplace(appended->seq, before);
  }
  return given;
}

}  // namespace

int main(int argc, char** argv) {
  const int rate = argc > 1 ? std::atoi(argv[1]) : kRateDefault;
  const int seconds = argc > 2 ? std::atoi(argv[2]) : kSecondsDefault;
  if (argc > 3 || rate < 1 || rate > kRateMax || seconds < 1 || seconds > kSecondsMax) {
    give_up("usage: ship_latency_bench [EVENTS_PER_SECOND [SECONDS]]");
  }
  const test::TempDir dir;
  const std::string log = dir.file("log/agent-audit.log");
  Receiver receiver;
  test::write_text(dir.file("ship.yaml"),
                   "version: \"1\"\nsources: [\"" + log + "\"]\nstate_dir: \"" + dir.file("state") +
                       "\"\nsinks:\n  - {name: soc, type: syslog, framing: newline, address: "
                       "\"127.0.0.1:" +
                       std::to_string(receiver.port()) + "\"}\n");
  std::map<std::uint64_t, SteadyClock::time_point> arrived;
  std::thread reading([&] { arrived = receiver.read_all(); });
  test::Process ship(
      {std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config", dir.file("ship.yaml")});
  const auto given = append_steadily(
      log, rate,
      static_cast<std::size_t>(rate) * static_cast<std::size_t>(seconds) + kWarmUpEvents);
  ship.signal(SIGTERM);  // it delivers what is in the log first
  if (const auto ended = ship.wait(); ended.exit_code != 0) give_up("lilith-ship: " + ended.err);
  reading.join();
  std::vector<double> ways;
  for (const auto& [seq, before] : given) {
    const auto there = arrived.find(seq);
    if (there == arrived.end()) give_up("seq " + std::to_string(seq) + " did not arrive");
    ways.push_back(Milliseconds(there->second - before).count());
  }
  std::sort(ways.begin(), ways.end());
  const auto at = [&](double q) {
    return ways[static_cast<std::size_t>(q * static_cast<double>(ways.size() - 1))];
  };
  std::printf("%zu events at %d a second, from before the append to the receiver's read\n",
              ways.size(), rate);
  std::printf("p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, slowest %.2f ms\n", at(0.5), at(0.95),
              at(0.99), at(1));
}
