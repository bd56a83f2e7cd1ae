// Replay against the least that any replay must do, all in one run and one thread.
//
// The first yardstick reads the same file with the same reader and parses every line with simdjson
// On-Demand, the fastest parser that we know of: it goes to the members that a decision depends on
// (agent, tool, server, user, cwd, call, facts), to id and time, in the order in which they stand,
// and takes their raw bytes. It keeps nothing, and of the members between it checks none. The
// second counts the events of each call besides: a std::unordered_map from the raw bytes of the
// call to a count, hashed with XXH3. The third, the parse-and-key loop that the goal is about,
// decides each call once besides. None of them finds repeats by id, checks a log's sequence, knows
// a cut or redacted call, or says anything of rule, target, host and day.

#include "audit/codec.hpp"
#include "audit/read/reader.hpp"
#include "replay/replay.hpp"
#include "tests/perf/bench_log.hpp"
#include "tests/support/support.hpp"

#include <simdjson.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <unordered_map>
#include <xxhash.h>

namespace {

using namespace lilith;
constexpr std::size_t kCalls = 200'000;
constexpr int kRuns = 7;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The raw bytes of a member, in the order of the line; absent ones are skipped over.
std::string_view raw_of(simdjson::ondemand::object& from, const char* key) {
  simdjson::ondemand::value value;
  std::string_view raw;
  if (from.find_field(key).get(value) != simdjson::SUCCESS) return raw;
  simdjson::ondemand::object object;
  if (value.type() == simdjson::ondemand::json_type::object) {
    if (value.get_object().get(object) == simdjson::SUCCESS &&
        object.raw_json().get(raw) == simdjson::SUCCESS) {
      return raw;
    }
    return {};
  }
  return value.raw_json_token();
}

// What a line says, each buffer used again for the next one.
struct Parsed {
  simdjson::ondemand::parser parser;
  std::string padded;
  std::string call;        // what a decision depends on
  std::size_t others = 0;  // bytes of id and time
};

void parse(std::string_view line, Parsed& out) {
  out.call.clear();
  if (out.padded.size() < line.size() + simdjson::SIMDJSON_PADDING) {
    out.padded.resize(line.size() + simdjson::SIMDJSON_PADDING);
  }
  std::memcpy(out.padded.data(), line.data(), line.size());
  simdjson::ondemand::document document;
  simdjson::ondemand::object lilith;
  if (out.parser.iterate(out.padded.data(), line.size(), out.padded.size()).get(document) !=
          simdjson::SUCCESS ||
      document.find_field("lilith").get_object().get(lilith) != simdjson::SUCCESS) {
    return;
  }
  for (const char* member : {"time", "id"}) out.others += raw_of(lilith, member).size();
  for (const char* member : {"agent", "user", "tool", "call", "facts", "cwd"}) {
    out.call += raw_of(lilith, member);
  }
}

struct Xxh3 {
  std::size_t operator()(const std::string& text) const {
    return XXH3_64bits(text.data(), text.size());
  }
};
using Counts = std::unordered_map<std::string, std::uint64_t, Xxh3>;

bool decide(std::string_view line, const rules::Policy& policy, audit::Decoder& decoder,
            audit::Event& event) {
  if (!decoder.decode(line, event)) return false;
  const rules::CallAnalysis analysis = rules::analyse(event.call);
  const rules::Caller caller{event.agent, event.tool, event.server};
  return rules::decide(policy, caller, analysis, event.facts).verdict == audit::Verdict::kDeny;
}

enum class Yardstick { kParse, kKey, kDecideOnce };

// CPU seconds of one pass; `sum` gets what it found, so that no step can be left out.
double parse_and_key(const std::string& path, Yardstick yardstick, const rules::Policy& policy,
                     std::uint64_t& sum) {
  const double start = cpu_seconds();
  auto reader = audit::LineReader::open(path);
  Parsed parsed;
  Counts counts;
  audit::Decoder decoder;
  audit::Event event;
  std::string_view line;
  while (*(*reader)->next(line) == audit::LineReader::Status::kLine) {
    parse(line, parsed);
    sum += parsed.call.size();
    if (yardstick == Yardstick::kParse) continue;
    const bool is_new = ++counts[parsed.call] == 1;
    if (is_new && yardstick == Yardstick::kDecideOnce) {
      sum += decide(line, policy, decoder, event) ? 1U : 0U;
    }
  }
  sum += parsed.others + counts.size();
  return cpu_seconds() - start;
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// CPU seconds of decompression alone, or of reading where there is none.
double lines_alone(const std::string& path, double (*seconds)() = cpu_seconds) {
  const double start = seconds();
  auto reader = audit::LineReader::open(path);
  std::string_view line;
  while (*(*reader)->next(line) == audit::LineReader::Status::kLine) {
  }
  return seconds() - start;
}

double replayed(const std::string& path, const replay::Candidates& candidates,
                std::size_t threads = 1, double (*seconds)() = cpu_seconds) {
  const double start = seconds();
  const auto summary = replay::replay_files({path}, candidates, {.threads = threads});
  if (!summary || summary->quality.decided == 0) std::abort();
  return seconds() - start;
}

}  // namespace

int main(int argc, char** argv) {
  const test::TempDir dir;
  const std::string log = argc > 1 ? argv[1] : test::make_log(dir.path(), kCalls);
  const auto events = static_cast<double>(test::count_lines(log));
  const auto bytes = static_cast<double>(std::filesystem::file_size(log));
  const std::string packed = dir.path() + "/bench.log.gz";
  const auto gzip = test::run({"/bin/sh", "-c", "gzip -c '" + log + "' >'" + packed + "'"},
                              {.timeout = std::chrono::minutes(5)});
  const auto policy = rules::load_policy_file(test::policy_path()).policy;
  const replay::Candidates one{policy}, ten(10, policy);
  std::vector<double> parses, keys, once, replays, of_parse, of_keys, of_once, tens;
  std::vector<double> unpacked, beside, parse_unpacked;
  std::uint64_t sum = 0;
  for (int i = 0; i < kRuns; ++i) {
    parses.push_back(parse_and_key(log, Yardstick::kParse, *policy, sum));
    keys.push_back(parse_and_key(log, Yardstick::kKey, *policy, sum));
    once.push_back(parse_and_key(log, Yardstick::kDecideOnce, *policy, sum));
    replays.push_back(replayed(log, one));
    of_parse.push_back(parses.back() / replays.back());
    of_keys.push_back(keys.back() / replays.back());
    of_once.push_back(once.back() / replays.back());
    tens.push_back(replayed(log, ten) / replays.back());
    if (gzip.exit_code != 0) continue;
    unpacked.push_back(replayed(packed, one) / lines_alone(packed));
    parse_unpacked.push_back(parse_and_key(packed, Yardstick::kParse, *policy, sum) /
                             lines_alone(packed));
    beside.push_back(replayed(packed, one, 2, wall_seconds) / lines_alone(packed, wall_seconds));
  }
  if (sum == 0) return 1;
  const auto rate = [&](const char* what, double seconds) {
    std::printf("%-28s %8.3f M events/s  %6.2f GB/s\n", what, events / seconds / 1e6,
                bytes / seconds / 1e9);
  };
  std::printf("%.0f events of %.0f bytes; medians of %d, CPU time of one thread\n", events,
              bytes / events, kRuns);
  rate("parse", test::median(parses));
  rate("parse, count each call", test::median(keys));
  rate("parse, decide each call once", test::median(once));
  rate("replay", test::median(replays));
  std::printf("%-28s %8.2f of the first, %.2f of the second, %.2f of the third\n", "replay",
              test::median(of_parse), test::median(of_keys), test::median(of_once));
  std::printf("%-28s %8.2f x the time of one\n", "ten candidates", test::median(tens));
  if (!unpacked.empty()) {
    std::printf("%-28s %8.2f x the time of decompression\n", "replay of .gz, CPU",
                test::median(unpacked));
    std::printf("%-28s %8.2f x the time of decompression\n", "replay of .gz, --threads 2",
                test::median(beside));
    std::printf("%-28s %8.2f x the time of decompression\n", "parse of .gz, CPU",
                test::median(parse_unpacked));
  }
}
