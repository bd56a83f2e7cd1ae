#pragma once
// What Wazuh 4.9's decoding makes of a line: the syslog header (src/analysisd/cleanevent.c), the
// choice of a decoder (decoders_list.c), and the JSON decoder's fields (plugins/json_decoder.c):
// dynamic ones by dotted name, static ones from top-level keys of fixed names.

#include "audit/base/result.hpp"
#include "wazuh/pattern.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::wazuh {

struct DecodedLine {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  bool json = false;    // the decoder named json took the line, whether or not it parsed
  std::string program;  // of a syslog header
  Fields statics;       // by the key's name: action, srcip, ...
  Fields fields;        // dynamic; document order

  [[nodiscard]] const std::string* field(std::string_view name) const;
  // `user` stands for dstuser, or srcuser where there is none.
  [[nodiscard]] const std::string* static_field(std::string_view name) const;
};

// A decoder that hands the line to JSON_Decoder.
struct JsonDecoder {
  std::string name;
  std::optional<Pattern> program_name;
  std::optional<Pattern> prematch;
  bool after_prematch = false;  // offset="after_prematch"
};

// The stock decoder, which takes a line that begins with an object and has no program name.
[[nodiscard]] std::vector<JsonDecoder> stock_decoders();
// Adds those of a decoder file (`name` is for messages). Fails on what is not modelled, as
// "NAME:LINE: decoder X: why": parents, regex, order, other plugins.
[[nodiscard]] Result<void> add_decoders(const std::string& name, std::string_view text,
                                        std::vector<JsonDecoder>& decoders);

// `line` without <PRI>, which Wazuh's receiver takes off. Not modelled: more than 256 fields, and
// objects inside arrays, which Wazuh prints on several lines.
[[nodiscard]] DecodedLine decode_line(std::string_view line,
                                      const std::vector<JsonDecoder>& decoders);
[[nodiscard]] DecodedLine decode_line(std::string_view line);  // by the stock decoder

// Names that <field name="..."> refuses: Wazuh stops at start with "Field '...' is static".
[[nodiscard]] bool is_static_field(std::string_view name);

}  // namespace lilith::wazuh
