// Decisions a second on one core, on traffic of the recorded shape: decide() alone, on calls that
// were read a moment ago, as a hook and a replay do it, and on 20,000 calls in turn, which have to
// come from memory; and decide() with reading the shell line.

#include "rules/decide.hpp"
#include "tests/perf/bench_log.hpp"
#include "tests/support/support.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <vector>

namespace lilith {
namespace {

struct Input {
  std::vector<audit::Event> events;
  std::vector<rules::CallAnalysis> analyses;
  std::shared_ptr<const rules::Policy> policy;

  Input() {
    const test::TempDir dir;
    events = test::read_events(test::make_log(dir.path(), 20'000));
    for (const audit::Event& event : events) analyses.push_back(rules::analyse(event.call));
    policy = rules::load_policy_file(test::policy_path()).policy;
  }
};
const Input& input() {
  static const Input one;
  return one;
}

// So many calls stay in a processor's second cache with what was read of them.
constexpr std::size_t kJustRead = 32;

// Each call is decided once, in the time that is measured, behind the calls read with it.
void decide_just_read(benchmark::State& state) {
  const Input& in = input();
  std::vector<audit::Event> events(kJustRead);
  std::vector<rules::CallAnalysis> analyses(kJustRead);
  std::size_t next = 0;
  for (auto _ : state) {
    for (std::size_t i = 0; i < kJustRead; ++i) {
      events[i] = in.events[next];
      analyses[i] = rules::analyse(events[i].call);
      next = next + 1 == in.events.size() ? 0 : next + 1;
    }
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < kJustRead; ++i) {
      const audit::Event& event = events[i];
      benchmark::DoNotOptimize(rules::decide(*in.policy, {event.agent, event.tool, event.server},
                                             analyses[i], event.facts));
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(took.count());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kJustRead));
}
BENCHMARK(decide_just_read)->UseManualTime();

void decide_only(benchmark::State& state) {
  const Input& in = input();
  std::size_t i = 0;
  for (auto _ : state) {
    const audit::Event& event = in.events[i];
    benchmark::DoNotOptimize(rules::decide(*in.policy, {event.agent, event.tool, event.server},
                                           in.analyses[i], event.facts));
    i = i + 1 == in.events.size() ? 0 : i + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(decide_only);

void analyse_and_decide(benchmark::State& state) {
  const Input& in = input();
  std::size_t i = 0;
  for (auto _ : state) {
    const audit::Event& event = in.events[i];
    const rules::CallAnalysis analysis = rules::analyse(event.call);
    benchmark::DoNotOptimize(
        rules::decide(*in.policy, {event.agent, event.tool, event.server}, analysis, event.facts));
    i = i + 1 == in.events.size() ? 0 : i + 1;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(analyse_and_decide);

void load_policy(benchmark::State& state) {
  const std::string text = test::read_text(test::policy_path());
  for (auto _ : state) benchmark::DoNotOptimize(rules::load_policy(text, "policy"));
}
BENCHMARK(load_policy);

}  // namespace
}  // namespace lilith

BENCHMARK_MAIN();
