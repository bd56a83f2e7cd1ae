// Replay against the least that any replay must do: read every line and parse it to its keys. Both
// in one run.

#include "audit/codec.hpp"
#include "audit/read/reader.hpp"
#include "replay/replay.hpp"
#include "tests/perf/bench_log.hpp"
#include "tests/support/support.hpp"

#include <chrono>
#include <cstdio>

namespace {

using namespace lilith;
constexpr std::size_t kCalls = 200'000;
constexpr int kRuns = 5;

// Events a second of one pass over the log.
template <class Visit>
double pass(const std::string& path, Visit visit) {
  const auto start = std::chrono::steady_clock::now();
  auto reader = audit::LineReader::open(path);
  audit::Decoder decoder;
  audit::Event event;
  std::string_view line;
  std::size_t events = 0;
  while (*(*reader)->next(line) == audit::LineReader::Status::kLine) {
    if (decoder.decode(line, event)) visit(event);
    ++events;
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return static_cast<double>(events) / seconds.count();
}

}  // namespace

int main() {
  const test::TempDir dir;
  const std::string log = test::make_log(dir.path(), kCalls);
  const auto policy = rules::load_policy_file(test::policy_path()).policy;
  std::vector<double> parse, replays, ratios;
  for (int i = 0; i < kRuns; ++i) {
    std::size_t keys = 0;
    parse.push_back(
        pass(log, [&](const audit::Event& event) { keys += event.call.command.size(); }));
    replay::Replayer replayer({policy});
    replays.push_back(pass(log, [&](const audit::Event& event) { replayer.add(event); }));
    ratios.push_back(replays.back() / parse.back());
    if (replayer.quality().decided == 0 || keys == 0) return 1;
  }
  std::printf(
      "parse and key  %10.0f events/s\nreplay         %10.0f events/s\nratio          %10.2f "
      "(medians of %d)\n",
      test::median(parse), test::median(replays), test::median(ratios), kRuns);
}
