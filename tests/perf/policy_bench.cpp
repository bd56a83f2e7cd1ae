// What a decision costs when the policy grows: 10 to 100,000 entries of hosts, paths and commands,
// how long such a policy takes to load, and how much memory it holds. The figures of one kind are
// taken in one run, so that their ratios hold on a busy machine.

#include "audit/json/reader.hpp"
#include "rules/decide.hpp"
#include "tests/traffic/traffic.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <malloc.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace lilith {
namespace {

using audit::Call;
using audit::OperationKind;
using rules::Policy;

const rules::UserRecord kDev{"dev", 1000, "/home/dev"};
constexpr const char* kCwd = "/home/dev/projects/app";
// Requests of one kind; a power of two, so that taking the next costs nothing.
constexpr std::size_t kRequests = 1024;

enum class Lists { kHosts, kPaths, kCommands };
constexpr Lists kLists[]{Lists::kHosts, Lists::kPaths, Lists::kCommands};

// ---- policies of a size

std::string number(std::size_t i) { return std::to_string(i); }

// Of ten entries: five exact names, two suffixes, one CIDR block, two that are blocked.
std::string hosts_yaml(std::size_t entries) {
  std::string allowed, blocked;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::string name = "h" + number(i) + ".example" + number(i % 97) + ".com";
    switch (i % 10) {
      case 5:
      case 6:
        allowed += "    - \"*." + name + "\"\n";
        break;
      case 7:
        allowed += "    - 10." + number(i / 2560 % 256) + "." + number(i / 10 % 256) + ".0/24\n";
        break;
      case 8:
        blocked += "    - " + name + "\n";
        break;
      case 9:
        blocked += "    - \"*." + name + "\"\n";
        break;
      default:
        // One in a hundred as the samples write it; the others mean the same.
        allowed += i % 100 == 0 ? "    - {host: " + name + ", ports: [443], protocols: [https]}\n"
                                : "    - " + name + "\n";
    }
  }
  return "egress:\n  default_action: deny\n  allowed_destinations:\n" + allowed +
         "  blocked_destinations:\n" + blocked;
}

// Block patterns of the shapes that people write: below a name, a suffix, a file below the home.
std::string blocked_paths(std::size_t entries) {
  std::string out;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::string n = number(i);
    out += "        - \"" +
           (i % 3 == 0   ? "**/.secret" + n + "/**"
            : i % 3 == 1 ? "**/*.key" + n
                         : "~/.cfg/t" + n + "/key") +
           "\"\n";
  }
  return out;
}

std::string paths_yaml(std::size_t entries) {
  std::string allowed = "        - \"~/projects/**\"\n";
  for (std::size_t i = 0; i < entries / 2; ++i) {
    const std::string n = number(i);
    allowed += "        - \"" +
               (i % 3 == 0   ? "/srv/p" + n + "/**"
                : i % 3 == 1 ? "/opt/t*/m" + n + "/*.cpp"
                             : "~/w/app" + n + "/**") +
               "\"\n";
  }
  return "tool_invocations:\n  default_action: deny\n  allowed_tools:\n    - name: read_file\n"
         "      path_allowlist:\n" +
         allowed + "      path_blocklist:\n" + blocked_paths(entries - entries / 2);
}

// A third allowed programs, a third blocked ones (half with options), a third blocked paths.
std::string commands_yaml(std::size_t entries) {
  std::string allowed = "        - git\n        - npm\n        - cargo\n        - python3\n";
  std::string blocked = "        - curl\n        - bash -c\n";
  const std::size_t third = entries / 3;
  for (std::size_t i = 0; i < third; ++i) {
    allowed += "        - tool" + number(i) + "\n";
    blocked += "        - bad" + number(i) + (i % 2 == 0 ? " -c\n" : "\n");
  }
  return "tool_invocations:\n  default_action: deny\n  allowed_tools:\n    - name: read_file\n"
         "      path_allowlist: [\"~/projects/**\"]\n      path_blocklist:\n"
         "        - \"**/.ssh/**\"\n" +
         blocked_paths(third) + "    - name: run_command\n      command_allowlist:\n" + allowed +
         "      command_blocklist:\n" + blocked;
}

const std::string& yaml_of(Lists lists, std::size_t entries) {
  static std::map<std::pair<Lists, std::size_t>, std::string> made;
  std::string& text = made[{lists, entries}];
  if (text.empty()) {
    text = "version: \"1\"\n" + (lists == Lists::kHosts   ? hosts_yaml(entries)
                                 : lists == Lists::kPaths ? paths_yaml(entries)
                                                          : commands_yaml(entries));
  }
  return text;
}

struct Loaded {
  std::shared_ptr<const Policy> policy;
  std::size_t bytes = 0;  // of heap that it holds
};

std::size_t heap_in_use() {
  const auto heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;  // large tables are mapped
}

const Loaded& policy_of(Lists lists, std::size_t entries) {
  static std::map<std::pair<Lists, std::size_t>, Loaded> loaded;
  Loaded& one = loaded[{lists, entries}];
  if (one.policy == nullptr) {
    const std::string& text = yaml_of(lists, entries);
    const std::size_t before = heap_in_use();
    one.policy = rules::load_policy(text, "bench.yaml").policy;
    one.bytes = heap_in_use() - before;
    if (one.policy == nullptr) {
      std::fprintf(stderr, "the policy of the benchmark does not load\n");
      std::exit(1);
    }
  }
  return one;
}

// ---- requests: half meet an entry, half meet none

std::vector<Call> host_calls(std::size_t entries) {
  std::mt19937_64 random(1);
  std::vector<Call> out;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const std::size_t entry = random() % entries;
    const std::string name = "h" + number(entry) + ".example" + number(entry % 97) + ".com";
    const char* const kinds[]{"https://", "https://api.", "https://unknown-", "https://a.b.c."};
    out.push_back({.kind = OperationKind::kEgress, .urls = {kinds[i % 4] + name + "/v1/items"}});
  }
  return out;
}

std::vector<Call> path_calls(std::size_t entries) {
  std::mt19937_64 random(1);
  std::vector<Call> out;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const std::string n = number(random() % (entries / 2));
    const std::string paths[]{"/home/dev/projects/app/src/module/main" + n + ".cpp",
                              "/srv/p" + n + "/include/deep/down/header.hpp",
                              "/home/dev/projects/app/.secret" + n + "/id",
                              "/usr/lib/python3/dist-packages/package" + n + "/__init__.py"};
    out.push_back({.kind = OperationKind::kReadFile, .paths = {paths[i % 4]}});
  }
  return out;
}

// Shell lines of the generator whose calls have the shape of the recorded ones.
std::vector<Call> command_calls() {
  std::vector<Call> out;
  test::generate_traffic({.seed = 1, .calls = 20'000}, [&](const std::string& line) {
    json::Document document;
    const auto root = document.parse(line);
    if (!root || out.size() == kRequests) return;
    const auto input = root->find("input");
    const auto command = input ? input->find("command") : std::nullopt;
    const auto text = command ? command->string() : std::nullopt;
    if (text) out.push_back({.kind = OperationKind::kRunCommand, .command = std::string(*text)});
  });
  return out;
}

struct Requests {
  std::vector<Call> calls;
  std::vector<rules::CallAnalysis> analyses;
  std::vector<audit::Facts> facts;
  std::size_t bytes = 0;

  explicit Requests(std::vector<Call> made) : calls(std::move(made)) {
    for (const Call& call : calls) {
      analyses.push_back(rules::analyse(call));
      facts.push_back(rules::observe(analyses.back(), kDev, kCwd, rules::lexical_file_system()));
      bytes += call.command.size();
    }
  }
};

const Requests& requests_of(Lists lists, std::size_t entries) {
  static std::map<std::pair<Lists, std::size_t>, Requests> made;
  const auto found = made.find({lists, entries});
  if (found != made.end()) return found->second;
  return made
      .emplace(std::pair(lists, entries), lists == Lists::kHosts   ? host_calls(entries)
                                          : lists == Lists::kPaths ? path_calls(entries)
                                                                   : command_calls())
      .first->second;
}

// ---- benchmarks

void decide(benchmark::State& state, Lists lists, bool reading) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  const Loaded& loaded = policy_of(lists, entries);
  const Requests& requests = requests_of(lists, entries);
  std::size_t i = 0, allowed = 0;
  for (auto _ : state) {
    rules::Decision decision;
    if (reading) {
      const rules::CallAnalysis analysis = rules::analyse(requests.calls[i]);
      decision =
          rules::decide(*loaded.policy, {"claude_code", "Bash", ""}, analysis, requests.facts[i]);
    } else {
      decision = rules::decide(*loaded.policy, {"claude_code", "Read", ""}, requests.analyses[i],
                               requests.facts[i]);
    }
    allowed += decision.verdict == audit::Verdict::kAllow ? 1 : 0;
    i = i + 1 == requests.calls.size() ? 0 : i + 1;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["allowed_%"] =
      100.0 * static_cast<double>(allowed) / static_cast<double>(state.iterations());
  if (reading) {
    state.counters["line_bytes"] =
        static_cast<double>(requests.bytes) / static_cast<double>(requests.calls.size());
  }
}

void load(benchmark::State& state, Lists lists) {
  const auto entries = static_cast<std::size_t>(state.range(0));
  const std::string& text = yaml_of(lists, entries);
  for (auto _ : state) benchmark::DoNotOptimize(rules::load_policy(text, "bench.yaml"));
  state.counters["yaml_kB"] = static_cast<double>(text.size()) / 1000;
  state.counters["heap_B_per_entry"] =
      static_cast<double>(policy_of(lists, entries).bytes) / static_cast<double>(entries);
}

// The usual table, and behind it each family's time as a multiple of that at the fewest entries.
class Reporter final : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration) {
        times_[run.run_name.function_name].push_back(
            {run.run_name.args, run.cpu_accumulated_time / static_cast<double>(run.iterations)});
      }
    }
  }
  void Finalize() override {
    std::printf("\ntime as a multiple of that at the fewest entries\n");
    for (const auto& [family, runs] : times_) {
      std::printf("%-18s", family.c_str());
      for (const auto& [entries, seconds] : runs) {
        std::printf("  %s: %.2f", entries.c_str(), seconds / runs.front().second);
      }
      std::printf("\n");
    }
  }

 private:
  std::map<std::string, std::vector<std::pair<std::string, double>>> times_;
};

const char* name_of(Lists lists) {
  return lists == Lists::kHosts ? "hosts" : lists == Lists::kPaths ? "paths" : "commands";
}

}  // namespace
}  // namespace lilith

int main(int argc, char** argv) {
  using namespace lilith;
  benchmark::Initialize(&argc, argv);
  for (const Lists lists : kLists) {
    const auto all_sizes = [](benchmark::internal::Benchmark* one) {
      for (const int entries : {10, 1'000, 10'000, 100'000}) one->Arg(entries);
    };
    const std::string name = name_of(lists);
    const bool reading = lists == Lists::kCommands;
    all_sizes(benchmark::RegisterBenchmark(
        ("decide_" + name).c_str(),
        [lists, reading](benchmark::State& state) { decide(state, lists, reading); }));
    all_sizes(benchmark::RegisterBenchmark(
        ("load_" + name).c_str(), [lists](benchmark::State& state) { load(state, lists); }));
  }
  Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return 0;
}
