// Replay against the least that any replay must do, both in one run and one thread.
//
// The yardstick reads the same file with the same reader and parses every line with simdjson
// On-Demand, the fastest parser that we know of: it goes to the members that a decision depends on
// (agent, tool, server, user, cwd, call, facts), to id and time, in the order in which they stand,
// takes their raw bytes and hashes them to a key of 128 bits with XXH3. It keeps nothing: no
// repeats found, no verdicts, no counts, and of the members between it checks none. A replay does
// all of that besides, so that 1.00 means that deciding and counting cost nothing.

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

struct Key {
  XXH128_hash_t hash;
  std::size_t bytes;
};

Key key_of(simdjson::ondemand::parser& parser, std::string& padded, std::string_view line) {
  if (padded.size() < line.size() + simdjson::SIMDJSON_PADDING) {
    padded.resize(line.size() + simdjson::SIMDJSON_PADDING);
  }
  std::memcpy(padded.data(), line.data(), line.size());
  simdjson::ondemand::document document;
  simdjson::ondemand::object lilith;
  Key out{};
  if (parser.iterate(padded.data(), line.size(), padded.size()).get(document) !=
          simdjson::SUCCESS ||
      document.find_field("lilith").get_object().get(lilith) != simdjson::SUCCESS) {
    return out;
  }
  char key[64 * 1024];
  for (const char* member : {"time", "id", "agent", "user", "tool", "call", "facts", "cwd"}) {
    const std::string_view raw = raw_of(lilith, member);
    if (out.bytes + raw.size() > sizeof key) continue;
    std::memcpy(key + out.bytes, raw.data(), raw.size());
    out.bytes += raw.size();
  }
  out.hash = XXH3_128bits(key, out.bytes);
  return out;
}

// CPU seconds of one pass of the yardstick.
double parse_and_key(const std::string& path, std::uint64_t& sum) {
  const double start = cpu_seconds();
  auto reader = audit::LineReader::open(path);
  simdjson::ondemand::parser parser;
  std::string padded;
  std::string_view line;
  while (*(*reader)->next(line) == audit::LineReader::Status::kLine) {
    const Key key = key_of(parser, padded, line);
    sum += key.hash.low64 + key.bytes;
  }
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
  std::vector<double> parse, replays, ratios, tens, unpacked, beside;
  std::uint64_t sum = 0;
  for (int i = 0; i < kRuns; ++i) {
    parse.push_back(parse_and_key(log, sum));
    replays.push_back(replayed(log, one));
    ratios.push_back(parse.back() / replays.back());
    tens.push_back(replayed(log, ten) / replays.back());
    if (gzip.exit_code != 0) continue;
    unpacked.push_back(replayed(packed, one) / lines_alone(packed));
    beside.push_back(replayed(packed, one, 2, wall_seconds) / lines_alone(packed, wall_seconds));
  }
  if (sum == 0) return 1;
  const auto rate = [&](const char* what, double seconds) {
    std::printf("%-28s %8.3f M events/s  %6.2f GB/s\n", what, events / seconds / 1e6,
                bytes / seconds / 1e9);
  };
  std::printf("%.0f events of %.0f bytes; medians of %d, CPU time of one thread\n", events,
              bytes / events, kRuns);
  rate("parse and key", test::median(parse));
  rate("replay", test::median(replays));
  std::printf("%-28s %8.2f\n", "replay / parse and key", test::median(ratios));
  std::printf("%-28s %8.2f x the time of one\n", "ten candidates", test::median(tens));
  if (!unpacked.empty()) {
    std::printf("%-28s %8.2f x the time of decompression\n", "replay of .gz, CPU",
                test::median(unpacked));
    std::printf("%-28s %8.2f x the time of decompression\n", "replay of .gz, --threads 2",
                test::median(beside));
  }
}
