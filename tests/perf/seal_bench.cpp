// What seals add to an event: appends as a hook makes them (the log is opened for each), to a log
// without a key, to one with whose checkpoints are made behind the verdict, as lilith-hook does it
// (the process that makes one has ended before the next append: agents think between two calls),
// and to one whose checkpoints are made by the append that meets the bound. One after the other in
// one run: ratios and differences of one run hold on any machine; nothing is judged.
//
//   seal_bench [EVENTS] [DIRECTORY]
//
// DIRECTORY: a folder is made there and removed; on a disk, since checkpoints are synced.

#include "audit/codec.hpp"
#include "audit/log.hpp"
#include "audit/seal_key.hpp"
#include "enforcer/seal_behind.hpp"
#include "tests/audit/sample_events.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/wait.h>
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

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}
double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}
void print(const char* what, const Costs& costs, const Costs& without) {
  std::printf("%-28s p50 %.1f, p99 %.1f, mean %.1f, slowest %.0f us; CPU, mean %.1f us\n", what,
              quantile(costs.wall, 0.5), quantile(costs.wall, 0.99), mean(costs.wall),
              quantile(costs.wall, 1), mean(costs.cpu));
  if (&costs == &without) return;
  std::printf("%-28s p50 %.1f, p99 %.1f, mean %.1f us; CPU, mean %.1f us\n", "  more than without",
              quantile(costs.wall, 0.5) - quantile(without.wall, 0.5),
              quantile(costs.wall, 0.99) - quantile(without.wall, 0.99),
              mean(costs.wall) - mean(without.wall), mean(costs.cpu) - mean(without.cpu));
}

// False: there was an error.
bool append(const audit::LogOptions& options, bool behind, Costs& costs) {
  audit::Event event = test::denied_egress();
  event.id.clear();
  event.time = {};
  const double wall = microseconds(CLOCK_MONOTONIC), cpu = microseconds(CLOCK_PROCESS_CPUTIME_ID);
  auto log = audit::open_log(options);
  const auto done = log ? (*log)->append(event) : Result<audit::Appended>(pass_error(log));
  const bool seals = done && done->seal_soon && behind;
  if (seals) enforcer::seal_behind(options);
  costs.wall.push_back(microseconds(CLOCK_MONOTONIC) - wall);
  costs.cpu.push_back(microseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  if (seals) ::wait(nullptr);
  if (!done) std::fprintf(stderr, "seal_bench: %s\n", done.error().message.c_str());
  return done.has_value();
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
  const auto sealed_log = [&](const std::string& name) {
    audit::LogOptions sealed = plain;
    sealed.path = directory + "/" + name + ".log";
    sealed.seal.key = directory + "/" + name + ".key";
    if (!audit::create_seal_key(sealed.seal.key, sealed.host, sealed.path)) std::abort();
    return sealed;
  };
  const audit::LogOptions behind = sealed_log("behind"), within = sealed_log("within");
  Costs without, with_behind, with_within, warm;
  // The first append to a log makes the file, and with a key the first checkpoint.
  if (!append(behind, true, warm) || !append(within, false, warm) || !append(plain, false, warm))
    return 1;
  for (int i = 0; i < events; ++i) {
    if (!append(behind, true, with_behind) || !append(within, false, with_within) ||
        !append(plain, false, without)) {
      return 1;
    }
  }
  print("append without seals:", without, without);
  print("sealed, behind the verdict:", with_behind, without);
  print("sealed, by the append:", with_within, without);
  print_share(behind.path);
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
