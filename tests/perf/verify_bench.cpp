// `lilith verify --arrived` against the least that any such check must do, both in one run and one
// thread.
//
// The yardstick reads the same file with the same reader, finds host, seq, time and the chain of
// each line with simdjson On-Demand, in the order in which they stand, and hashes the line with the
// same SHA-256. It keeps nothing: no gaps, no links between lines, no repeats. 1.00 means that all
// of that costs nothing. With --verify-key the check verifies the seals of each host besides; the
// input has a checkpoint after every 1,024 events of a host, as sealed logs have.

#include "audit/base/sha256.hpp"
#include "audit/read/arrival.hpp"
#include "audit/read/reader.hpp"
#include "tests/audit_read/sealed_fleet.hpp"
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

struct Input {
  std::string path;
  std::uint64_t lines = 0;
  std::vector<audit::VerifyKey> keys;
};

Input make_input(const std::string& path, std::size_t events) {
  test::SealedFleet fleet(kHosts);
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (file == nullptr) std::abort();
  for (std::size_t i = 0; i < events; ++i) {
    for (const auto& [host, text] : fleet.next()) {
      std::fwrite(text.data(), 1, text.size(), file);
      std::fputc('\n', file);
    }
  }
  std::fclose(file);
  return {path, fleet.lines(), fleet.keys()};
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

double check(const Input& input, bool with_keys) {
  const double from = cpu_seconds();
  audit::ArrivalOptions options;
  if (with_keys) options.keys = input.keys;
  audit::ArrivalCheck checked(options);
  std::vector<std::string> errors;
  if (!audit::read_arrived({input.path}, system_clock(), checked, errors)) std::abort();
  const auto report = checked.report(system_clock().now());
  const double spent = cpu_seconds() - from;
  if (report.events != input.lines || report.findings_total != 0) std::abort();
  if (report.seals.size() != options.keys.size()) std::abort();
  for (const audit::SealedUpTo& sealed : report.seals)
    if (sealed.verified == 0 || sealed.unverified != 0) std::abort();
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
  const Input small = make_input(directory.file("tenth"), events / 10);
  const Input input = make_input(directory.file("arrived"), events);
  for (const bool with_keys : {false, true}) {
    (void)check(small, with_keys);
    const long before = resident_kib();
    (void)check(input, with_keys);
    const long after = resident_kib();
    std::vector<double> ratios, rates;
    for (std::size_t run = 0; run < kRuns; ++run) {
      const double least = yardstick(input.path), ours = check(input, with_keys);
      ratios.push_back(least / ours);
      rates.push_back(static_cast<double>(events) / ours);
    }
    std::sort(ratios.begin(), ratios.end());
    std::sort(rates.begin(), rates.end());
    std::printf("verify --arrived%s: %.2f of a hash-and-parse loop (%.2f to %.2f), %.0f events/s\n",
                with_keys ? " --verify-key" : "", ratios[kRuns / 2], ratios.front(), ratios.back(),
                rates[kRuns / 2]);
    std::printf("memory: %ld KiB at most for %zu events, %ld KiB for ten times as many\n", before,
                events / 10, after);
  }
  return 0;
}
