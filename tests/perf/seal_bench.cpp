// What seals add to an event: appends as a hook makes them (the log is opened for each), to a log
// without a key and to one with, one after the other in one run. Ratios and differences of one run
// hold on any machine; nothing is judged.
//
//   seal_bench [EVENTS] [DIRECTORY]
//
// DIRECTORY: a folder is made there and removed; on a disk, since checkpoints are synced.

#include "audit/codec.hpp"
#include "audit/log.hpp"
#include "audit/seal_key.hpp"
#include "tests/audit/sample_events.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace lilith;  // NOLINT(google-build-using-namespace)
namespace fs = std::filesystem;

constexpr int kEventsDefault = 20'480, kEventsMax = 10'000'000;

double microseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Costs {
  std::vector<double> wall, cpu;  // of one append each, microseconds
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}
double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Returns the seq, or 0 where there was an error.
std::uint64_t append(const audit::LogOptions& options, Costs& costs) {
  audit::Event event = test::denied_egress();
  event.id.clear();
  event.time = {};
  const double wall = microseconds(CLOCK_MONOTONIC), cpu = microseconds(CLOCK_PROCESS_CPUTIME_ID);
  auto log = audit::open_log(options);
  const auto done = log ? (*log)->append(event) : Result<audit::Appended>(pass_error(log));
  costs.wall.push_back(microseconds(CLOCK_MONOTONIC) - wall);
  costs.cpu.push_back(microseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  if (!done) std::fprintf(stderr, "seal_bench: %s\n", done.error().message.c_str());
  return done ? done->seq : 0;
}

void print_share(const std::string& log) {
  std::ifstream file(log);
  std::uint64_t all = 0, sealed = 0, lines = 0, checkpoints = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    all += line.size() + 1;
    const auto event = audit::decode(line);
    if (!event || event->type != audit::EventType::kCheckpoint) continue;
    sealed += line.size() + 1;
    ++checkpoints;
  }
  std::printf("checkpoints: %llu in %llu lines, %.4f %% of the bytes\n",
              static_cast<unsigned long long>(checkpoints), static_cast<unsigned long long>(lines),
              100.0 * static_cast<double>(sealed) / static_cast<double>(all));
}

int run(int events, const std::string& directory) {
  audit::LogOptions plain;
  plain.host = "ws-42";
  plain.path = directory + "/plain.log";
  plain.rotate_bytes = 0;
  audit::LogOptions sealed = plain;
  sealed.path = directory + "/sealed.log";
  sealed.seal.key = directory + "/seal.key";
  if (!audit::create_seal_key(sealed.seal.key, sealed.host, sealed.path)) return 1;
  Costs without, with, ordinary, checkpoint;
  std::uint64_t last = 0;
  for (int i = 0; i < events; ++i) {
    const std::uint64_t seq = append(sealed, with);
    if (append(plain, without) == 0 || seq == 0) return 1;
    // A checkpoint, or the beginning of the log, stands in front of this event.
    Costs& kind = seq == last + 1 ? ordinary : checkpoint;
    kind.wall.push_back(with.wall.back());
    kind.cpu.push_back(with.cpu.back());
    last = seq;
  }
  const double plain_us = median(without.wall), sealed_us = median(ordinary.wall);
  std::printf(
      "append, p50:      %.1f us without, %.1f us with a key: %.1f us more (ratio %.2f); "
      "CPU %.1f us more\n",
      plain_us, sealed_us, sealed_us - plain_us, sealed_us / plain_us,
      median(ordinary.cpu) - median(without.cpu));
  std::printf("with a checkpoint, p50: %.0f us, CPU %.0f us\n", median(checkpoint.wall),
              median(checkpoint.cpu));
  std::printf("append, mean with its checkpoints: %.1f us more, CPU %.1f us more\n",
              mean(with.wall) - mean(without.wall), mean(with.cpu) - mean(without.cpu));
  print_share(sealed.path);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int events = argc > 1 ? std::atoi(argv[1]) : kEventsDefault;
  if (events < 1 || events > kEventsMax) {
    std::fprintf(stderr, "usage: seal_bench [EVENTS] [DIRECTORY]\n");
    return 2;
  }
  std::string directory = std::string(argc > 2 ? argv[2] : ".") + "/seal_bench.XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    std::perror("seal_bench");
    return 1;
  }
  directory = fs::absolute(directory);
  const int code = run(events, directory);
  fs::remove_all(directory);
  return code;
}
