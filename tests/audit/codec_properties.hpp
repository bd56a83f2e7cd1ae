#pragma once

#include <string>
#include <string_view>

namespace lilith::test {

// What holds for any bytes that are taken for an event's line, whether they are one or not; a
// sentence on what does not, or an empty string. Used by the fuzzer and by tests of known lines.
[[nodiscard]] std::string codec_fault(std::string_view line);

}  // namespace lilith::test
