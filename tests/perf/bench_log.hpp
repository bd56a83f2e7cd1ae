#pragma once
// The input of the benchmarks: generated traffic of the measured shape, imported by the real
// program.

#include "audit/event.hpp"

#include <string>
#include <vector>

namespace lilith::test {

// A log of `calls` imported events in `directory`, made by `lilith import`; returns its path.
[[nodiscard]] std::string make_log(const std::string& directory, std::size_t calls);
// Its calls.
[[nodiscard]] std::vector<audit::Event> read_events(const std::string& path);
// Lines of a file that can be read.
[[nodiscard]] std::size_t count_lines(const std::string& path);
// The policy that the benchmarks decide under.
[[nodiscard]] std::string policy_path();
// Middle one of an odd number of figures.
[[nodiscard]] double median(std::vector<double> figures);

}  // namespace lilith::test
