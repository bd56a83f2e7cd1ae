#pragma once
// Brace expansion (bash manual 3.5.1).

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

// The words that the shell makes of {a,b}, in their order, nested ones included. A sequence {1..9},
// and everything once there would be more than `words_max` words, becomes `*`.
[[nodiscard]] std::vector<std::string> expand_braces(std::string_view text, std::size_t words_max);
// The words of an expression that is surely known, sequences of numbers included; otherwise, or
// where they would be more than `words_max`, none.
[[nodiscard]] std::vector<std::string> expand_sequences(std::string_view text,
                                                        std::size_t words_max);
// The numbers of {FIRST..LAST} and `seq FIRST LAST`, the same way.
[[nodiscard]] std::vector<std::string> numbers_between(std::string_view first,
                                                       std::string_view last,
                                                       std::size_t words_max);

}  // namespace lilith::rules
