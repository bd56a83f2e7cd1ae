#pragma once
// What Wazuh 4.9's JSON decoder makes of a line (src/analysisd/plugins/json_decoder.c): dynamic
// fields by dotted name, and static fields from top-level keys of fixed names.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::wazuh {

struct DecodedLine {
  bool json = false;  // the decoder named json took the line, whether or not it parsed
  std::optional<std::string> action;                        // the static field
  std::vector<std::pair<std::string, std::string>> fields;  // dynamic; document order

  [[nodiscard]] const std::string* field(std::string_view name) const;
};

// Not modelled: syslog headers in front of the object (our own routes either have none or need
// lilith_decoders.xml), more than 256 fields, and objects inside arrays, which Wazuh prints on
// several lines.
[[nodiscard]] DecodedLine decode_line(std::string_view line);

// Names that <field name="..."> refuses: Wazuh stops at start with "Field '...' is static".
[[nodiscard]] bool is_static_field(std::string_view name);

}  // namespace lilith::wazuh
