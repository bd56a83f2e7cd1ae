#include "tests/perf/bench_log.hpp"

#include "audit/codec.hpp"
#include "audit/read/reader.hpp"
#include "tests/support/support.hpp"
#include "tests/traffic/traffic.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace lilith::test {
namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

}  // namespace

std::string make_log(const std::string& directory, std::size_t calls) {
  std::string history;
  generate_traffic({.seed = 1, .calls = calls},
                   [&](const std::string& line) { history += line + "\n"; });
  write_text(directory + "/history.ndjson", history);
  std::string log = directory + "/bench.log";
  const auto imported = run({std::string(LILITH_BIN_DIR) + "/lilith", "import", "neutral",
                             directory + "/history.ndjson", "--output", log},
                            {.timeout = std::chrono::minutes(10)});
  if (imported.exit_code != 0) give_up("import failed: " + imported.err);
  return log;
}

std::vector<audit::Event> read_events(const std::string& path) {
  std::vector<audit::Event> events;
  auto reader = audit::LineReader::open(path);
  if (!reader) give_up(reader.error().message);
  std::string_view line;
  for (;;) {
    const auto status = (*reader)->next(line);
    if (!status || *status != audit::LineReader::Status::kLine) return events;
    auto event = audit::decode(line);
    if (event && event->type == audit::EventType::kImported) events.push_back(std::move(*event));
  }
}

std::size_t count_lines(const std::string& path) {
  auto reader = audit::LineReader::open(path);
  if (!reader) give_up(reader.error().message);
  std::string_view line;
  while (*(*reader)->next(line) == audit::LineReader::Status::kLine) {
  }
  return (*reader)->line_number();
}

std::string policy_path() {
  return std::string(LILITH_SOURCE_DIR) + "/rules/policies/lilith-policy.yaml";
}

double median(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  return figures[figures.size() / 2];
}

}  // namespace lilith::test
