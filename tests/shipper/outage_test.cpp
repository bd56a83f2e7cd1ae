// Every sink down at once, for as long as lines come: memory keeps to its bound, does not grow, and
// is given back. Counted in events, not in seconds; ten minutes of it with LILITH_LONG.

#include "audit/json/reader.hpp"
#include "tests/shipper/ship_fixture.hpp"
#include "tests/support/sanitized.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sys/socket.h>
#include <thread>

namespace lilith::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Pauses between two tries grow to a minute.
constexpr std::chrono::milliseconds kPatience{180'000};

// A port where connections are made, and nobody reads.
class Deaf {
 public:
  explicit Deaf(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
  }
  ~Deaf() { ::close(fd_); }
  Deaf(const Deaf&) = delete;
  Deaf& operator=(const Deaf&) = delete;

 private:
  int fd_;
};

class ShipOutage : public ShipProcess {
 protected:
  struct Sinks {
    int tcp, deaf, relp;
    std::string http, brokers;
  };

  void start_receivers() {
    tcp_ = std::make_unique<Receiver>(Receiver::Kind::kTcp, sinks_.tcp);
    heard_ = std::make_unique<Receiver>(Receiver::Kind::kTcp, sinks_.deaf);
    sinks_.tcp = tcp_->port();
    sinks_.deaf = heard_->port();
    write_text(dir_.file("healthy"), "");
    relp_ = std::make_unique<Process>(std::vector<std::string>{
        "/usr/bin/python3", std::string(LILITH_SOURCE_DIR) + "/tests/shipper/faulty_receiver.py",
        "--dir", dir_.path(), "--seed", "1", "--relp-port", std::to_string(sinks_.relp)});
    ASSERT_TRUE(eventually([&] { return ::access(dir_.file("bulk.port").c_str(), R_OK) == 0; }));
    sinks_.relp = std::stoi(read_text(dir_.file("relp.port")));
  }
  void start() {
    start_receivers();
    http_ = std::make_unique<Process>(std::vector<std::string>{
        "/usr/bin/python3", std::string(LILITH_SOURCE_DIR) + "/tests/shipper/http_receiver.py",
        "--dir", dir_.path(), "--api", "ndjson"});
    broker_ = std::make_unique<Process>(std::vector<std::string>{
        std::string(LILITH_BIN_DIR) + "/kafka_mock", dir_.file("broker"), "audit"});
    for (const char* const file : {"port", "broker"})
      ASSERT_TRUE(eventually([&] { return ::access(dir_.file(file).c_str(), R_OK) == 0; }));
    const std::string loopback = "127.0.0.1:";
    write_text(dir_.file("ship.yaml"),
               "version: \"1\"\nsources: [\"" + log() + "\"]\nstate_dir: \"" + dir_.file("state") +
                   "\"\nsinks:\n  - {name: tcp, type: syslog, address: \"" + loopback +
                   std::to_string(sinks_.tcp) +
                   "\"}\n  - {name: deaf, type: syslog, form: ecs, address: \"" + loopback +
                   std::to_string(sinks_.deaf) +
                   "\"}\n  - {name: relp, type: syslog, transport: relp, address: \"" + loopback +
                   std::to_string(sinks_.relp) +
                   "\"}\n  - {name: http, type: http, url: \"http://" + loopback +
                   read_text(dir_.file("port")) +
                   "/\"}\n  - {name: kafka, type: kafka, topic: audit, brokers: \"" +
                   read_text(dir_.file("broker")) + "\"}\n");
    shipper_ = std::make_unique<Process>(command());
  }
  void take_down() {
    tcp_.reset();
    heard_.reset();
    deaf_ = std::make_unique<Deaf>(sinks_.deaf);
    relp_->signal(SIGKILL);
    (void)relp_->wait();
    relp_.reset();
    for (const char* const file : {"relp.port", "bulk.port"}) ::unlink(dir_.file(file).c_str());
    write_text(dir_.file("down"), "");
    broker_->signal(SIGSTOP);
  }
  void bring_up() {
    deaf_.reset();
    start_receivers();
    ::unlink(dir_.file("down").c_str());
    broker_->signal(SIGCONT);
  }

  // A number of each sink, as the running shipper says.
  std::map<std::string, std::int64_t> of_sinks(const char* member) const {
    auto status = command();
    status.insert(status.end(), {"status", "--json"});
    std::map<std::string, std::int64_t> out;
    json::Document document;
    const std::string text = run(status).out;
    const auto root = document.parse(text);
    const auto list = root ? root->find("sinks") : std::nullopt;
    if (!list) return out;
    list->each_element([&](json::View sink) {
      const auto value = sink.find(member);
      out[std::string(sink.text("sink"))] = value ? value->integer().value_or(-1) : -1;
      return true;
    });
    return out;
  }
  bool all_delivered() const {
    const auto lag = of_sinks("lag_bytes");
    return lag.size() == 5 &&
           std::all_of(lag.begin(), lag.end(), [](const auto& one) { return one.second == 0; });
  }
  // Until each sink that is refused was so once more.
  void wait_for_errors() const {
    const auto before = of_sinks("errors");
    EXPECT_TRUE(eventually(
        [&] {
          const auto now = of_sinks("errors");
          return std::all_of(now.begin(), now.end(), [&](const auto& one) {
            return one.first == "kafka" || one.first == "deaf" || one.second > before.at(one.first);
          });
        },
        kPatience));
  }
  std::uint64_t resident_kib() const {
    return number_in("/proc/" + std::to_string(shipper_->pid()) + "/status", "VmRSS:");
  }
  std::uint64_t bytes_read() const {
    return number_in("/proc/" + std::to_string(shipper_->pid()) + "/io", "rchar:");
  }

  Sinks sinks_{};
  std::unique_ptr<Receiver> tcp_, heard_;
  std::unique_ptr<Deaf> deaf_;
  std::unique_ptr<Process> relp_, http_, broker_, shipper_;
};

TEST_F(ShipOutage, T29_MemoryIsFlatWhileEverySinkIsDownAndIsGivenBack) {
  audit::LogOptions writer = log_options(log());
  writer.rotate_bytes = 4'000'000;
  writer.rotate_interval_min = std::chrono::seconds(0);
  std::uint64_t events = 0;
  const auto append = [&](std::size_t count) {
    append_events(writer, count);
    events += count;
  };
  append(500);
  start();
  ASSERT_TRUE(eventually([&] { return all_delivered(); }, kPatience));
  const std::uint64_t before = resident_kib();

  take_down();
  // A window and more, so that every sink comes to hold what it ever will.
  constexpr std::uint64_t kWindowBytes = std::uint64_t{8} << 20U, kEvents = 12'000;
  const std::uint64_t read_before = bytes_read();
  append(kEvents);
  // Kafka's is filled, and half of one that the deaf receiver does not acknowledge.
  EXPECT_TRUE(
      eventually([&] { return bytes_read() >= read_before + kWindowBytes * 3 / 2; }, kPatience));
  wait_for_errors();
  const std::uint64_t full = resident_kib();

  std::uint64_t most = full;
  const auto end = SteadyClock::now() + std::chrono::minutes(is_long() ? 10 : 0);
  while (events < 3 * kEvents || SteadyClock::now() < end) {
    append(is_long() ? 20 : 200);
    most = std::max(most, resident_kib());
    if (is_long()) std::this_thread::sleep_for(std::chrono::milliseconds(50));  // a busy day
  }
  if (is_long()) wait_for_errors();
  most = std::max(most, resident_kib());

  bring_up();
  EXPECT_TRUE(eventually([&] { return all_delivered(); }, kPatience));
  // Kafka has a window under way, which librdkafka copies into requests; the deaf one half a window
  // in two forms; and each sink holds a batch or a request.
  constexpr std::uint64_t kWindowKib = kWindowBytes / 1024, kBoundKib = 3 * kWindowKib + 8 * 1024;
  // Then a few batches are kept for the next lines, which the heap may lie around of.
  constexpr std::uint64_t kKeptKib = 12 * 1024;
  (void)eventually([&] { return resident_kib() < before + kKeptKib || kSanitized; });
  const std::uint64_t after = resident_kib();
  std::cout << events << " events; resident " << before << " KiB before, " << full
            << " with all sinks down, at most " << most << " then, " << after << " afterwards\n";
  if (!kSanitized) {
    EXPECT_LT(full, before + kBoundKib);
    EXPECT_LT(most, full + 2 * 1024);
    EXPECT_LT(after, before + kKeptKib);
  }

  auto accepted = lines_in(dir_.file("accepted"));
  std::erase_if(accepted, [](const std::string& line) {  // heartbeats and losses of its own log
    return line.find(R"("host":"ws-42")") == std::string::npos;
  });
  (void)expect_at_least_once_in_order(accepted, all_lines(log()));
  shipper_->signal(SIGTERM);
  EXPECT_EQ(shipper_->wait().exit_code, 0);
}

}  // namespace
}  // namespace lilith::test
