// lilith-ship to Kafka against a bare librdkafka loop with the same settings: the same log, the
// same broker (librdkafka's own mock cluster in a process of its own: nothing on disk, so that the
// sender is what is measured), one after the other in one run.

#include "tests/perf/bench_log.hpp"
#include "tests/support/support.hpp"

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace lilith;
using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kCalls = 200'000;
constexpr int kRuns = 3;
constexpr const char* kTopic = "audit";
constexpr int kFlushMs = 60'000;
constexpr int kHangSeconds = 5;
constexpr int kHangLines = 30'000;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "ship_kafka_bench: %s\n", why.c_str());
  std::_Exit(1);
}

void set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
  char why[256] = "";
  if (::rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) {
    give_up(why);
  }
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) give_up("a message was not delivered");
}

// Each line of the file is a message; the settings are those of shipper/kafka_sink.cpp.
void send_bare(const std::string& log, const std::string& brokers, const std::string& compression) {
  rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
  set(conf, "bootstrap.servers", brokers);
  set(conf, "enable.idempotence", "true");
  set(conf, "acks", "all");
  set(conf, "compression.codec", compression);
  set(conf, "linger.ms", "5");
  set(conf, "queue.buffering.max.messages", "100000");
  set(conf, "queue.buffering.max.kbytes", "65536");
  set(conf, "partitioner", "murmur2");
  ::rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  char why[256] = "";
  rd_kafka_t* const producer = ::rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (producer == nullptr) give_up(why);
  rd_kafka_topic_t* const topic = ::rd_kafka_topic_new(producer, kTopic, nullptr);
  if (topic == nullptr) give_up("no topic");
  constexpr std::string_view kKey = "ws-42";
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) {
    while (::rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, line.data(),
                              line.size(), kKey.data(), kKey.size(), nullptr) != 0) {
      if (::rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        give_up(::rd_kafka_err2str(::rd_kafka_last_error()));
      }
      ::rd_kafka_poll(producer, 10);
    }
    ::rd_kafka_poll(producer, 0);
  }
  if (::rd_kafka_flush(producer, kFlushMs) != RD_KAFKA_RESP_ERR_NO_ERROR) give_up("not flushed");
  ::rd_kafka_topic_destroy(topic);
  ::rd_kafka_destroy(producer);
}

struct Figures {
  std::vector<double> wall_s{}, cpu_s{};
};

double children_cpu() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void timed(const std::vector<std::string>& argv, Figures& out) {
  const double cpu = children_cpu();
  const auto began = SteadyClock::now();
  test::Process process(argv);
  const auto ended = process.wait(std::chrono::minutes(5));
  if (ended.exit_code != 0) give_up(argv[0] + ": " + ended.err);
  out.wall_s.push_back(std::chrono::duration<double>(SteadyClock::now() - began).count());
  out.cpu_s.push_back(children_cpu() - cpu);
}

std::unique_ptr<test::Process> start_broker(const std::string& address) {
  auto broker = std::make_unique<test::Process>(
      std::vector<std::string>{std::string(LILITH_BIN_DIR) + "/kafka_mock", address, kTopic});
  if (!test::eventually([&] { return ::access(address.c_str(), R_OK) == 0; })) {
    give_up("the mock broker did not start");
  }
  return broker;
}

// `more`: settings of the sink, each behind a comma.
void write_config(const std::string& file, const std::string& log, const std::string& state,
                  const std::string& brokers, const std::string& more = "") {
  test::write_text(file, "version: \"1\"\nsources: [\"" + log + "\"]\nstate_dir: \"" + state +
                             "\"\nsinks:\n  - {name: soc, type: kafka, brokers: \"" + brokers +
                             "\", topic: " + kTopic + more + "}\n");
}

void bench(const std::string& self, const std::string& log, const std::string& compression) {
  const test::TempDir dir;
  Figures bare, ship;
  for (int run = -1; run < kRuns; ++run) {  // the first one warms up
    if (run == 0) bare = ship = {};
    for (const bool ours : {false, true}) {
      const std::string name = std::to_string(run) + (ours ? "-ship" : "-bare");
      const std::string address = dir.file("broker" + name);
      const auto broker = start_broker(address);
      const std::string brokers = test::read_text(address);
      if (!ours) {
        timed({self, "--bare", log, brokers, compression}, bare);
      } else {
        write_config(dir.file("ship.yaml"), log, dir.file("state" + name), brokers,
                     ", compression: " + compression);
        timed({std::string(LILITH_BIN_DIR) + "/lilith-ship", "--once", "--config",
               dir.file("ship.yaml")},
              ship);
      }
      broker->signal(SIGTERM);
      (void)broker->wait();
    }
  }
  const auto line = [&](const char* name, const Figures& figures) {
    const double wall = test::median(figures.wall_s), cpu = test::median(figures.cpu_s);
    std::printf("%-12s %-6s %10.0f events/s %7.2f CPU us/ev | of the loop: wall %.3f, CPU %.3f\n",
                name, compression.c_str(), static_cast<double>(kCalls + 1) / wall,
                cpu * 1e6 / static_cast<double>(kCalls + 1), test::median(bare.wall_s) / wall,
                test::median(bare.cpu_s) / cpu);
  };
  line("bare loop", bare);
  line("lilith-ship", ship);
}

double cpu_of(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string field;
  double ticks = 0;
  for (int number = 1; number <= 15 && in >> field; ++number) {
    if (number >= 14) ticks += std::stod(field);  // utime and stime (proc(5))
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// What the shipper takes of a processor while a broker hangs with a request under way and more
// events wait.
void hang(const std::string& log) {
  const test::TempDir dir;
  const std::string source = dir.file("audit.log"), address = dir.file("broker");
  std::ifstream in(log);
  std::string line, lines;
  std::getline(in, line);
  test::write_text(source, line + "\n");
  for (int i = 0; i < kHangLines && std::getline(in, line); ++i) lines += line + "\n";
  const auto broker = start_broker(address);
  write_config(dir.file("ship.yaml"), source, dir.file("state"), test::read_text(address));
  test::Process ship(
      {std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config", dir.file("ship.yaml")});
  const std::string checkpoint = dir.file("state/soc.checkpoint.json");
  if (!test::eventually([&] { return ::access(checkpoint.c_str(), R_OK) == 0; })) {
    give_up("the first event was not delivered");
  }
  broker->signal(SIGSTOP);
  test::append_text(source, lines);
  ::sleep(1);  // until the window is full
  const double before = cpu_of(ship.pid());
  ::sleep(kHangSeconds);
  std::printf("lilith-ship, %d events behind a broker that hangs: %.3f of a processor\n",
              kHangLines, (cpu_of(ship.pid()) - before) / kHangSeconds);
  broker->signal(SIGCONT);
  ship.signal(SIGTERM);
  (void)ship.wait();
  broker->signal(SIGTERM);
  (void)broker->wait();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && argv[1] == std::string_view("--bare")) {
    send_bare(argv[2], argv[3], argv[4]);
    return 0;
  }
  const test::TempDir dir;
  const std::string log = test::make_log(dir.path(), kCalls);
  std::printf("%zu events of %zu bytes; medians of %d runs\n", kCalls + 1,
              test::read_text(log).size() / (kCalls + 1), kRuns);
  for (const char* compression : {"none", "lz4"}) bench(argv[0], log, compression);
  hang(log);
}
