// lilith-ship to Kafka against a bare librdkafka loop and against rsyslog and syslog-ng, all with
// the same settings of librdkafka: the same log, the same kind of broker (librdkafka's own mock
// cluster in a process of its own: nothing on disk, so that the sender is what is measured), one
// after the other in one run. A peer is done when the broker has everything.

#include "tests/perf/bench_log.hpp"
#include "tests/perf/peers.hpp"
#include "tests/support/support.hpp"

#include <librdkafka/rdkafka.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace lilith;
using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kEventsDefault = 200'001, kEventsMax = 10'000'000;
constexpr int kRuns = 3;
constexpr const char* kTopic = "audit";
constexpr const char* kKey = "ws-42";
constexpr std::chrono::minutes kPatience{5};
constexpr std::chrono::milliseconds kLookEvery{20};
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
void send_bare(const std::string& log, const std::string& brokers, const std::string& compression,
               const std::string& linger_ms) {
  rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
  set(conf, "bootstrap.servers", brokers);
  set(conf, "enable.idempotence", "true");
  set(conf, "acks", "all");
  set(conf, "compression.codec", compression);
  set(conf, "linger.ms", linger_ms);
  set(conf, "queue.buffering.max.messages", "100000");
  set(conf, "queue.buffering.max.kbytes", "65536");
  set(conf, "partitioner", "murmur2");
  ::rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  char why[256] = "";
  rd_kafka_t* const producer = ::rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (producer == nullptr) give_up(why);
  rd_kafka_topic_t* const topic = ::rd_kafka_topic_new(producer, kTopic, nullptr);
  if (topic == nullptr) give_up("no topic");
  constexpr std::string_view kHost = kKey;
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) {
    while (::rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, line.data(),
                              line.size(), kHost.data(), kHost.size(), nullptr) != 0) {
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

struct Figures {
  double wall_s = 0, cpu_s = 0;
};

double seconds_since(SteadyClock::time_point began) {
  return std::chrono::duration<double>(SteadyClock::now() - began).count();
}

// A program that ends when everything is acknowledged.
std::optional<Figures> until_its_end(const std::vector<std::string>& argv) {
  const double cpu = test::children_cpu();
  const auto began = SteadyClock::now();
  test::Process process(argv);
  const auto ended = process.wait(kPatience);
  if (ended.exit_code != 0) give_up(argv[0] + ": " + ended.err);
  return Figures{seconds_since(began), test::children_cpu() - cpu};
}

// The messages that the broker has, asked by a client of its own.
class Watermark {
 public:
  explicit Watermark(const std::string& brokers) {
    rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    char why[256] = "";
    client_ = ::rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (client_ == nullptr) give_up(why);
  }
  ~Watermark() { ::rd_kafka_destroy(client_); }
  Watermark(const Watermark&) = delete;
  Watermark& operator=(const Watermark&) = delete;

  [[nodiscard]] std::size_t messages() const {
    std::int64_t low = 0, high = 0;
    const auto error =
        ::rd_kafka_query_watermark_offsets(client_, kTopic, 0, &low, &high, kFlushMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) give_up(::rd_kafka_err2str(error));
    return static_cast<std::size_t>(high);
  }

 private:
  rd_kafka_t* client_ = nullptr;
};

// A program that goes on; nothing when the broker does not come to have everything.
std::optional<Figures> until_all_is_there(const test::PeerProgram& peer, const std::string& brokers,
                                          std::size_t events) {
  const Watermark watermark(brokers);
  const double cpu = test::children_cpu();
  const auto began = SteadyClock::now();
  test::ProcessOptions options;
  options.environment = peer.environment;
  test::Process process(peer.argv, options);
  double wall_s = 0;
  while (wall_s == 0 && process.running() && SteadyClock::now() - began < kPatience) {
    std::this_thread::sleep_for(kLookEvery);
    if (watermark.messages() >= events) wall_s = seconds_since(began);
  }
  process.signal(SIGTERM);
  const auto ended = process.wait();
  if (wall_s == 0) {
    std::printf("%s did not deliver everything: %s\n", peer.argv[0].c_str(), ended.err.c_str());
    return std::nullopt;
  }
  return Figures{wall_s, test::children_cpu() - cpu};
}

struct Run {
  std::string log, work, brokers;  // `work`: an empty directory
  std::string compression, linger_ms;
  std::size_t events = 0;  // in the log
};

struct Subject {
  std::string name;
  std::function<std::optional<Figures>(const Run&)> once;
  std::vector<double> wall_s{}, cpu_s{};
};

// The settings of shipper/kafka_sink.cpp, as each peer writes them.
std::string confparam(const Run& run) {
  return "[\"enable.idempotence=true\", \"acks=all\", \"compression.codec=" + run.compression +
         "\", \"linger.ms=" + run.linger_ms +
         "\", \"queue.buffering.max.messages=100000\", "
         "\"queue.buffering.max.kbytes=65536\", \"partitioner=murmur2\"]";
}

std::optional<Figures> run_rsyslog(const Run& run) {
  return until_all_is_there(
      test::rsyslog(run.work, run.log,
                    "module(load=\"omkafka\")\n"
                    "template(name=\"line\" type=\"string\" string=\"%msg%\")\n",
                    "action(type=\"omkafka\" broker=[\"" + run.brokers + "\"] topic=\"" + kTopic +
                        "\" key=\"" + kKey + "\" template=\"line\" confParam=" + confparam(run) +
                        " action.resumeRetryCount=\"-1\")"),
      run.brokers, run.events);
}

std::optional<Figures> run_syslog_ng(const Run& run) {
  return until_all_is_there(
      test::syslog_ng(run.work, run.log,
                      "destination d{kafka-c(bootstrap-servers(\"" + run.brokers + "\") topic(\"" +
                          kTopic + "\") key(\"" + kKey +
                          "\") message(\"$MSG\") workers(1) log-fifo-size(40000) "
                          "config(enable.idempotence(\"true\") acks(\"all\") compression.codec(\"" +
                          run.compression + "\") linger.ms(\"" + run.linger_ms +
                          "\") queue.buffering.max.messages(\"100000\") "
                          "queue.buffering.max.kbytes(\"65536\") partitioner(\"murmur2\")));};\n"
                          "log{source(s); destination(d); flags(flow-control);};\n"),
      run.brokers, run.events);
}

std::vector<Subject> subjects(const std::string& self) {
  std::vector<Subject> out;
  out.push_back({"bare loop", [self](const Run& run) {
                   return until_its_end(
                       {self, "--bare", run.log, run.brokers, run.compression, run.linger_ms});
                 }});
  out.push_back({"lilith-ship", [](const Run& run) {
                   const std::string config = run.work + "/ship.yaml";
                   write_config(
                       config, run.log, run.work + "/state", run.brokers,
                       ", compression: " + run.compression + ", linger_ms: " + run.linger_ms);
                   return until_its_end({std::string(LILITH_BIN_DIR) + "/lilith-ship", "--once",
                                         "--config", config});
                 }});
  if (test::has_rsyslog({"omkafka"})) {
    out.push_back({"rsyslog", run_rsyslog});
  } else {
    std::printf("rsyslog with omkafka is not installed (rsyslog-kafka): skipped\n");
  }
  if (test::has_syslog_ng("kafka")) {
    out.push_back({"syslog-ng", run_syslog_ng});
  } else {
    std::printf("syslog-ng with kafka-c is not in build/syslog-ng (scripts/setup test): skipped\n");
  }
  return out;
}

// Rates and CPU time of each, the bare loop's over its own, and its own over ours.
void print(const std::vector<Subject>& all, const std::string& settings, std::size_t events) {
  const Subject& bare = all[0];
  const Subject& ours = all[1];
  for (const Subject& one : all) {
    if (one.wall_s.empty()) continue;
    const double wall = test::median(one.wall_s), cpu = test::median(one.cpu_s);
    std::printf(
        "%-12s %-14s %10.0f events/s %7.2f CPU us/ev | of the loop: wall %.3f, CPU %.3f | "
        "lilith-ship: %.2f x the events/s, 1/%.2f of the CPU\n",
        one.name.c_str(), settings.c_str(), static_cast<double>(events) / wall,
        cpu * 1e6 / static_cast<double>(events), test::median(bare.wall_s) / wall,
        test::median(bare.cpu_s) / cpu, wall / test::median(ours.wall_s),
        cpu / test::median(ours.cpu_s));
  }
}

void bench(const std::string& self, const std::string& log, const std::string& compression,
           const std::string& linger_ms, std::size_t events) {
  const test::TempDir dir;
  std::vector<Subject> all = subjects(self);
  for (int run = -1; run < kRuns; ++run) {  // the first one warms up
    for (Subject& one : all) {
      const std::string work = dir.file(one.name + std::to_string(run));
      const std::string address = work + "-broker";
      const auto broker = start_broker(address);
      const auto figures =
          one.once({log, work, test::read_text(address), compression, linger_ms, events});
      broker->signal(SIGTERM);
      (void)broker->wait();
      if (run < 0 || !figures) continue;
      one.wall_s.push_back(figures->wall_s);
      one.cpu_s.push_back(figures->cpu_s);
    }
  }
  print(all, compression + ", " + linger_ms + " ms", events);
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
  if (argc == 6 && argv[1] == std::string_view("--bare")) {
    send_bare(argv[2], argv[3], argv[4], argv[5]);
    return 0;
  }
  const test::TempDir dir;
  std::size_t events = kEventsDefault;
  if (argc == 2) {
    const std::string_view text = argv[1];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), events);
    if (error != std::errc{} || end != text.data() + text.size() || events < 1 ||
        events > kEventsMax) {
      give_up("EVENTS is a number up to " + std::to_string(kEventsMax));
    }
  }
  const std::string log = test::make_log(dir.path(), events - 1);  // one more opens the log
  std::printf("%zu events of %zu bytes; medians of %d runs\n", events,
              std::filesystem::file_size(log) / events, kRuns);
  // linger.ms: the shipper's default, and what serves the peers best.
  for (const char* const linger_ms : {"5", "50"})
    for (const char* const compression : {"none", "lz4"})
      bench(argv[0], log, compression, linger_ms, events);
  hang(log);
}
