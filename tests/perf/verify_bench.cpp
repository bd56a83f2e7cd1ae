// `lilith verify --arrived` against the least that any such check must do, both in one run and one
// thread.
//
// The yardstick reads the same file with the same reader, finds host, seq, time and the chain of
// each line with simdjson On-Demand, in the order in which they stand, and hashes the line with the
// same SHA-256. It keeps nothing: no gaps, no links between lines, no repeats. 1.00 means that all
// of that costs nothing.

#include "audit/base/sha256.hpp"
#include "audit/codec.hpp"
#include "audit/read/arrival.hpp"
#include "audit/read/reader.hpp"
#include "tests/support/support.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <sys/resource.h>

namespace {

using namespace lilith;
constexpr std::size_t kHosts = 200, kRuns = 5;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Writer {
  std::string id, prev{audit::kGenesis};
  std::uint64_t seq = 0;

  std::string line(audit::Event& event) {
    event.seq = ++seq;
    event.chain_id = id;
    event.chain_prev = prev;
    event.chain_hash.clear();
    prev = audit::chain_hash(prev, audit::encode(event));
    event.chain_hash = prev;
    return audit::encode(event);
  }
};

// `events` of kHosts chains, mixed as a topic or an archive mixes them: a few of one host, then of
// another.
std::string make_input(const std::string& path, std::size_t events) {
  audit::Event event;
  event.decision = audit::Verdict::kAllow;
  event.action = audit::Action::kAllowed;
  event.agent = "claude_code";
  event.session = "97f0c1d2-5b7e-4a52-9a60-3a0f2a1b4c5d";
  event.hook = "PreToolUse";
  event.call_id = "toolu_01ABCDEFGHJKLMNPQRSTUVWX";
  event.rule = "tools.allowed[3]";
  event.policy_sha256 = std::string(64, '9');
  event.tool = "Bash";
  event.operation.kind = event.call.kind = audit::OperationKind::kRunCommand;
  event.operation.program = "git";
  event.operation.command = event.call.command = "git status --short --branch";
  event.operations = 1;
  event.facts.user = "dev";
  event.facts.uid = 1000;
  event.facts.home = "/home/dev";
  event.facts.cwd = "/home/dev/projects/app";
  event.engine = "0.1.0";
  event.decide_us = 41;
  event.id = "019ab337-0d5f-7cc3-98c4-dc0c0c07398f";
  event.time = *parse_time("2026-11-24T00:20:42.831204Z");
  std::vector<Writer> writers(kHosts);
  for (std::size_t i = 0; i < kHosts; ++i)
    writers[i].id = "019ab337-0d5f-7000-8000-" + std::to_string(100'000'000'000 + i);
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) std::abort();
  for (std::size_t i = 0; i < events; ++i) {
    const std::size_t host = i / 8 % kHosts;
    event.host = "ws-" + std::to_string(host);
    event.process_key = event.host + "/4711/8823912";
    event.time += std::chrono::microseconds(731);
    const std::string line = writers[host].line(event) + "\n";
    std::fwrite(line.data(), 1, line.size(), file);
  }
  std::fclose(file);
  return path;
}

double yardstick(const std::string& path) {
  const double from = cpu_seconds();
  auto reader = audit::LineReader::open(path).value();
  simdjson::ondemand::parser parser;
  std::string padded;
  std::string_view line;
  std::uint64_t sum = 0;
  while (reader->next(line).value() == audit::LineReader::Status::kLine) {
    if (padded.size() < line.size() + simdjson::SIMDJSON_PADDING)
      padded.resize(line.size() + simdjson::SIMDJSON_PADDING);
    std::copy(line.begin(), line.end(), padded.begin());
    auto document = parser.iterate(padded.data(), line.size(), padded.size());
    auto lilith = document["lilith"].get_object();
    for (const char* member : {"host", "seq", "time"})
      sum += lilith.find_field(member).get_string().value().size();
    auto chain = document["chain"].get_object();
    for (const char* member : {"id", "prev", "hash"})
      sum += chain.find_field(member).get_string().value().size();
    sum += Sha256().update(line).finish()[0];
  }
  const double spent = cpu_seconds() - from;
  if (sum == 0) std::abort();
  return spent;
}

double check(const std::string& path, std::size_t events) {
  const double from = cpu_seconds();
  audit::ArrivalCheck checked({});
  std::vector<std::string> errors;
  if (!audit::read_arrived({path}, system_clock(), checked, errors)) std::abort();
  const auto report = checked.report(system_clock().now());
  const double spent = cpu_seconds() - from;
  if (report.events != events || report.findings_total != 0) std::abort();
  return spent;
}

long resident_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 400'000;
  const test::TempDir directory;
  const std::string small = make_input(directory.file("tenth"), events / 10);
  const std::string path = make_input(directory.file("arrived"), events);
  (void)check(small, events / 10);
  const long before = resident_kib();
  (void)check(path, events);
  const long after = resident_kib();
  std::vector<double> ratios, rates;
  for (std::size_t run = 0; run < kRuns; ++run) {
    const double least = yardstick(path), ours = check(path, events);
    ratios.push_back(least / ours);
    rates.push_back(static_cast<double>(events) / ours);
  }
  std::sort(ratios.begin(), ratios.end());
  std::sort(rates.begin(), rates.end());
  std::printf("verify --arrived: %.2f of a hash-and-parse loop (%.2f to %.2f), %.0f events/s\n",
              ratios[kRuns / 2], ratios.front(), ratios.back(), rates[kRuns / 2]);
  std::printf("memory: %ld KiB at most for %zu events, %ld KiB for ten times as many\n", before,
              events / 10, after);
  return 0;
}
