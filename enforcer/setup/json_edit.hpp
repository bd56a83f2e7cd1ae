#pragma once
// Changes of a settings file's text in place: everything that is not put in or taken out keeps its
// bytes, with comments, indentation and line ends.

#include "audit/json/writer.hpp"
#include "enforcer/setup/jsonc.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

// The JSON text of an object whose members `fill` writes.
[[nodiscard]] std::string object(const std::function<void(json::Writer&)>& fill);

// `value` (JSON) as the last element of the array at `path` (keys from the root), in the text's own
// indentation; what is missing on the way is made. An empty text counts as {}. kInvalidInput: the
// text is no JSON, or something else stands on the way.
[[nodiscard]] Result<std::string> append_element(std::string_view text,
                                                 const std::vector<std::string>& path,
                                                 std::string_view value);
// The member `key` of the root, unless there is one.
[[nodiscard]] Result<std::string> add_member(std::string_view text, std::string_view key,
                                             std::string_view value);

// Takes out every array element (at any depth below the root's member `key`) that `wanted` names,
// and the arrays and objects that hold nothing else.
[[nodiscard]] Result<std::string> remove_elements(
    std::string_view text, std::string_view key,
    const std::function<bool(const JsonNode&)>& wanted);

}  // namespace lilith::enforcer::setup
