#pragma once
// Headers for an MCP server over HTTP: what the user adds, and what the protocol asks for.

#include "audit/base/result.hpp"
#include "enforcer/mcp/message.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::mcp {

using Variable = std::function<std::optional<std::string>(const std::string& name)>;

// Each option is "Name: value" or "@FILE" with one such line per header; ${NAME} is replaced by the
// variable. Errors name the header and never its value. Returns "Name: value".
[[nodiscard]] Result<std::vector<std::string>> read_headers(const std::vector<std::string>& options,
                                                            const Variable& variable);

// The version that the message states for itself (2026-07-28 and later); empty: none.
[[nodiscard]] std::string stated_version(const Message& message);
// A property of a tool's input schema that asks for a header of its own: "x-mcp-header" (SEP-2243,
// 2026-07-28).
struct ParameterHeader {
  std::vector<std::string> path;  // of the property in the arguments
  std::string name;               // behind Mcp-Param-
};
// What a tool's input schema asks for. Empty also where a declaration is not as the protocol wants
// it: not on a string, number or boolean that is reached by `properties` alone, no token of RFC
// 9110, or not the only one of its name. Such a tool is the server's mistake and gets no headers.
// (2026-07-28 wants integers, and not other numbers; servers that declare such are served, too.)
[[nodiscard]] std::vector<ParameterHeader> declared_headers(json::View input_schema);
// Mcp-Param-NAME for each that the arguments have a value for.
[[nodiscard]] std::vector<std::string> parameter_headers(
    const std::vector<ParameterHeader>& declared, json::View arguments);

// Mcp-Method and Mcp-Name, which versions from 2026-07-28 on require (SEP-2243).
[[nodiscard]] std::vector<std::string> standard_headers(const Message& message);

}  // namespace lilith::enforcer::mcp
