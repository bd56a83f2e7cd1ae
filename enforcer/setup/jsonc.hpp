#pragma once
// Agents' settings files as their owners wrote them: JSON (RFC 8259), with the comments and
// trailing commas that editors' dialects allow, and with the place of every part in the text, so
// that a part can be put in or taken out without touching the rest.

#include "audit/base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

enum class JsonType { kNull, kBool, kNumber, kString, kArray, kObject };

struct JsonNode {
  JsonType type = JsonType::kNull;
  std::size_t begin = 0, end = 0;  // the value's bytes
  std::size_t item = 0;            // where the member's key, or the element, begins
  std::string key;                 // of a member; unescaped
  std::string text;                // of a string; unescaped
  std::vector<JsonNode> children;
  // Behind child i; kNoComma where there is none, which is so for the last unless one trails.
  std::vector<std::size_t> commas;
};
inline constexpr std::size_t kNoComma = std::string::npos;

// The whole text; a byte order mark in front is skipped. kInvalidInput, with line and column, for
// what is no JSON, an object with a key twice, and nesting above limits::kJsonDepthMax.
[[nodiscard]] Result<JsonNode> parse_jsonc(std::string_view text);

// Member of an object; null when absent or when this is no object.
[[nodiscard]] const JsonNode* find_member(const JsonNode& object, std::string_view key);
// Text of a member that is a string; else empty.
[[nodiscard]] std::string_view text_member(const JsonNode& object, std::string_view key);

// "line 3, column 7"
[[nodiscard]] std::string place_in(std::string_view text, std::size_t at);

}  // namespace lilith::enforcer::setup
