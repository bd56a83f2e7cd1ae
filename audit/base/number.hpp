#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lilith {

// All of `text` as an unsigned decimal number; nullopt for anything else.
[[nodiscard]] inline std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace lilith
