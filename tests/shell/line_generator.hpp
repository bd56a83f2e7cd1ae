#pragma once
// Shell lines out of a small grammar: nested constructs, quoting, state that flows from one command
// to the next. The programs are p1 to p9; functions take some of those names. Ends by itself.

#include <cstdint>
#include <string>

namespace lilith::test {

[[nodiscard]] std::string generated_line(std::uint32_t seed);

}  // namespace lilith::test
