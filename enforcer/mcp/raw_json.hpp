#pragma once
// Where the parts of a JSON text stand. json::View has values; what is passed on unchanged is
// bytes. All of these want text that json::Document has accepted.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::enforcer::mcp {

// The elements of an array, each without the blanks around it.
[[nodiscard]] std::vector<std::string_view> raw_elements(std::string_view array);
// The members of an object, keys unescaped, in their order.
[[nodiscard]] std::vector<std::pair<std::string, std::string_view>> raw_members(
    std::string_view object);
[[nodiscard]] std::optional<std::string_view> raw_member(std::string_view object,
                                                         std::string_view key);

// The text of a JSON string without its quotes, escapes resolved; a lone surrogate becomes U+FFFD.
[[nodiscard]] std::string unescaped(std::string_view inner);

}  // namespace lilith::enforcer::mcp
