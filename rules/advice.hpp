#pragma once
// What an agent can do after a denial, by reason code (docs/policy.md): the end of the sentence
// that it is given.

#include <string_view>

namespace lilith::rules {

// "use a listed host, or ask the user to add it"; empty for a code that leaves nothing to do.
[[nodiscard]] std::string_view advice_of(std::string_view code);

}  // namespace lilith::rules
