// Tampering by chance: whatever is done to the lines of a log, what is left is either a piece of it
// as it was, or it has a finding.

#include "audit/codec.hpp"
#include "audit/read/arrival_check.hpp"
#include "audit/read/chain_check.hpp"
#include "tests/audit_read/log_fixture.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using lilith::audit::ChainCheck;
using Lines = std::vector<std::string>;

void tamper(Lines& lines, std::uint8_t what, std::size_t at, std::uint8_t value) {
  if (lines.empty()) return;
  at %= lines.size();
  const auto here = lines.begin() + static_cast<std::ptrdiff_t>(at);
  const std::size_t other = value % lines.size();
  switch (what % 5) {
    case 0:
      lines.erase(here);
      break;
    case 1:
      std::swap(lines[at], lines[other]);
      break;
    case 2: {
      const std::string copy = lines[at];
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(other), copy);
      break;
    }
    case 3:
      lines[at].resize(lines[at].size() - std::min<std::size_t>(lines[at].size(), value));
      break;
    default:
      if (!lines[at].empty()) {
        char& c = lines[at][value * std::size_t{7} % lines[at].size()];
        c = static_cast<char>(c ^ (1 + what / 5));
      }
  }
}

bool piece_of(const Lines& piece, const Lines& whole) {
  return piece.empty() ||
         std::search(whole.begin(), whole.end(), piece.begin(), piece.end()) != whole.end();
}

// The same lines as what arrived, where order and repeats mean nothing: no finding means a piece of
// the log and perhaps lines that are none of ours.
void check_as_arrived(const Lines& read, const Lines& whole) {
  lilith::audit::ArrivalCheck check({});
  check.begin("in");
  std::uint64_t number = 0;
  for (const std::string& line : read) check.line(++number, line, {});
  const auto report = check.report({});
  std::vector<std::size_t> seen;
  std::size_t own = 0;
  for (std::size_t i = 0; i < whole.size(); ++i)
    if (std::find(read.begin(), read.end(), whole[i]) != read.end()) seen.push_back(i);
  for (const std::string& line : read) own += line.find("lilith") != std::string::npos ? 1U : 0U;
  const bool piece = seen.empty() || seen.back() - seen.front() + 1 == seen.size();
  if (report.findings_total == 0 && (!piece || report.events != seen.size())) std::abort();
  if (report.events < seen.size() || report.events > own) std::abort();
}

// Any bytes, and any bytes around an event.
void check_any_line(std::string_view bytes, const std::string& event) {
  lilith::audit::LineOpener opener;
  lilith::audit::ArrivedEvent out;
  (void)opener.open(bytes, out);
  (void)opener.open(std::string(bytes) + event, out);
  (void)opener.open("{\"a\":\"" + std::string(bytes) + "\",\"full_log\":\"" + event, out);
  (void)opener.open("{\"_source\":" + event + std::string(bytes), out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Lines kWhole = lilith::test::ChainWriter().lines(12);
  Lines lines = kWhole;
  for (std::size_t i = 0; i + 2 < size && i < 60; i += 3)
    tamper(lines, data[i], data[i + 1], data[i + 2]);

  ChainCheck check({});
  check.begin_file("a.log", "a.log");
  Lines read;
  const std::string text = lilith::test::joined(lines);
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t lf = rest.find('\n');
    read.emplace_back(rest.substr(0, lf));
    check.whole_line(read.size(), rest.substr(0, lf));
    rest.remove_prefix(lf + 1);
  }
  lilith::audit::VerifyReport report;
  check.finish(report);
  if ((report.findings_total == 0) != piece_of(read, kWhole)) std::abort();
  check_as_arrived(read, kWhole);
  check_any_line({reinterpret_cast<const char*>(data), size}, kWhole[3]);
  return 0;
}
