#include "wazuh/decode.hpp"

#include "audit/json/reader.hpp"

#include <pugixml.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>

namespace lilith::wazuh {
namespace {

// src/analysisd/rules.c, w_check_attr_field_name; the comparison there ignores case.
constexpr std::array<std::string_view, 17> kStaticFields{
    "srcip",      "dstip",   "srcgeoip", "dstgeoip",    "srcport", "dstport",
    "user",       "srcuser", "dstuser",  "url",         "id",      "data",
    "extra_data", "status",  "protocol", "system_name", "action"};

// Top-level keys that fill static slots instead of dynamic fields (json_decoder.c, fillData).
constexpr std::array<std::string_view, 14> kStaticKeys{
    "srcip",   "dstip", "srcport", "dstport", "protocol", "action",     "srcuser",
    "dstuser", "id",    "status",  "url",     "data",     "extra_data", "systemname"};

// cJSON keeps every number as a double; the decoder prints %d where it is a 32-bit integer and %f
// elsewhere.
std::string number_text(double value) {
  if (std::floor(value) == value && value >= std::numeric_limits<int>::min() &&
      value <= std::numeric_limits<int>::max()) {
    return std::to_string(static_cast<int>(value));
  }
  std::array<char, 512> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), "%f", value);
  return {buffer.data(), static_cast<std::size_t>(std::clamp(length, 0, 511))};
}

std::string array_text(json::View array) {
  std::string out = "[";
  array.each_element([&](json::View element) {
    if (out.size() > 1) out += ", ";
    out += element.to_json();
    return true;
  });
  return out + "]";
}

std::string value_text(json::View value) {
  switch (value.type()) {
    case json::Type::kString: {
      const std::string_view text = value.string().value_or("");
      return std::string(text.substr(0, text.find('\0')));
    }
    case json::Type::kArray:
      return array_text(value);
    case json::Type::kInteger:
    case json::Type::kUnsigned:
    case json::Type::kDouble:
      return number_text(std::strtod(value.to_json().c_str(), nullptr));
    case json::Type::kBool:
      return value.boolean().value_or(false) ? "true" : "false";
    case json::Type::kNull:
    case json::Type::kObject:
      break;
  }
  return "null";
}

void fill(json::View object, const std::string& prefix, DecodedLine& out) {
  object.each_member([&](std::string_view key, json::View value) {
    if (key.empty()) return true;
    if (prefix.empty() &&
        std::find(kStaticKeys.begin(), kStaticKeys.end(), key) != kStaticKeys.end()) {
      // Of a key that stands twice the last one counts (seen in runs of the engine).
      if (!value.is_object()) {
        std::erase_if(out.statics, [&](const auto& known) { return known.first == key; });
        out.statics.emplace_back(std::string(key), value_text(value));
      }
      return true;
    }
    const std::string name = prefix.empty() ? std::string(key) : prefix + "." + std::string(key);
    if (value.is_object()) {
      fill(value, name, out);
    } else {
      out.fields.emplace_back(name, value_text(value));
    }
    return true;
  });
}

// ---- the syslog header

constexpr std::string_view kDigits = "0123456789";

// cleanevent.c, OS_CleanMSG, looks at bytes by position and at nothing else.
std::size_t header_length(std::string_view line) {
  const auto has = [&](std::initializer_list<std::pair<std::size_t, char>> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [&](const auto& one) {
      return one.first < line.size() && line[one.first] == one.second;
    });
  };
  // Nov 24 00:00:00
  if (line.size() > 17 && has({{3, ' '}, {6, ' '}, {9, ':'}, {12, ':'}, {15, ' '}})) return 16;
  // 2026-11-24T00:00:00+00:00, with no, three or six digits of a second
  if (!has({{4, '-'}, {7, '-'}, {10, 'T'}, {13, ':'}, {16, ':'}})) return 0;
  if (has({{22, ':'}, {25, ' '}})) return 26;
  if (has({{26, ':'}, {29, ' '}})) return 30;
  if (has({{29, ':'}, {32, ' '}})) return 33;
  return 0;
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// "lilith: " or "lilith[12]: ", whose blank may be missing; the rest behind it, and the name.
std::optional<std::pair<std::string_view, std::string_view>> tag(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && (is_host_character(text[at]) || text[at] == '/')) ++at;
  const std::string_view name = text.substr(0, at);
  if (name.empty() || at == text.size()) return std::nullopt;
  if (text[at] == '[') {
    at = text.find_first_not_of(kDigits, at + 1);
    if (at == std::string_view::npos || text[at] != ']') return std::nullopt;
    ++at;
  }
  if (at >= text.size() || text[at] != ':') return std::nullopt;
  ++at;
  if (at < text.size() && text[at] == ' ') ++at;
  return std::pair{text.substr(at), name};
}

struct Predecoded {
  std::string_view log;
  std::string_view program;
};

Predecoded predecode(std::string_view line) {
  const std::size_t header = header_length(line);
  if (header == 0) return {line, {}};
  std::string_view rest = line.substr(header);
  std::size_t at = 0;
  while (at < rest.size() && is_host_character(rest[at])) ++at;
  if (at == 0 || at == rest.size() || rest[at] != ' ') return {rest, {}};
  rest.remove_prefix(at + 1);
  if (const auto tagged = tag(rest)) return {tagged->first, tagged->second};
  return {rest, {}};
}

std::string place(const std::string& name, std::string_view text, std::ptrdiff_t offset) {
  const std::string_view before =
      text.substr(0, static_cast<std::size_t>(std::max<std::ptrdiff_t>(offset, 0)));
  return name + ":" + std::to_string(1 + std::count(before.begin(), before.end(), '\n'));
}

Result<JsonDecoder> read_decoder(const pugi::xml_node& node) {
  JsonDecoder out;
  out.name = node.attribute("name").as_string();
  bool json = false;
  for (const pugi::xml_node& child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    const std::string_view element = child.name();
    const std::string text = child.text().get();
    if (element == "program_name" || element == "prematch") {
      const bool pcre2 = std::string_view(child.attribute("type").as_string()) == "pcre2";
      auto pattern = Pattern::compile(pcre2 ? PatternKind::kPcre2 : PatternKind::kOsRegex, text);
      if (!pattern) return pass_error(pattern);
      (element == "prematch" ? out.prematch : out.program_name) = std::move(*pattern);
    } else if (element == "plugin_decoder" && text == "JSON_Decoder") {
      const std::string_view offset = child.attribute("offset").as_string();
      out.after_prematch = offset == "after_prematch";
      json = offset.empty() || out.after_prematch;
    } else {
      return fail(ErrorCode::kInvalidInput, "not supported: <" + std::string(element) + ">");
    }
  }
  if (!json) return fail(ErrorCode::kInvalidInput, "not supported: it has no JSON_Decoder");
  return out;
}

}  // namespace

const std::string* DecodedLine::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

const std::string* DecodedLine::static_field(std::string_view name) const {
  if (name == "user") {
    const std::string* of_destination = static_field("dstuser");
    return of_destination != nullptr ? of_destination : static_field("srcuser");
  }
  for (const auto& [key, value] : statics) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<JsonDecoder> stock_decoders() {
  std::vector<JsonDecoder> out;
  out.push_back({"json", std::nullopt, std::nullopt, false});
  if (auto prematch = Pattern::compile(PatternKind::kOsRegex, "^{\\s*\"")) {
    out.back().prematch = std::move(*prematch);
  }
  return out;
}

Result<void> add_decoders(const std::string& name, std::string_view text,
                          std::vector<JsonDecoder>& decoders) {
  pugi::xml_document document;
  const auto parsed =
      document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_fragment);
  if (!parsed) {
    return fail(ErrorCode::kInvalidInput,
                place(name, text, parsed.offset) + ": " + parsed.description());
  }
  for (const pugi::xml_node& node : document.children()) {
    if (node.type() != pugi::node_element) continue;
    const std::string where = place(name, text, node.offset_debug());
    if (std::string_view(node.name()) != "decoder") {
      return fail(ErrorCode::kInvalidInput, where + ": not supported: <" + node.name() + ">");
    }
    auto decoder = read_decoder(node);
    if (!decoder) {
      return fail(ErrorCode::kInvalidInput, where + ": decoder " +
                                                node.attribute("name").as_string() + ": " +
                                                decoder.error().message);
    }
    decoders.push_back(std::move(*decoder));
  }
  return {};
}

DecodedLine decode_line(std::string_view line, const std::vector<JsonDecoder>& decoders) {
  DecodedLine out;
  const auto [log, program] = predecode(line);
  out.program = program;
  for (const JsonDecoder& decoder : decoders) {
    // With a program name only the decoders that ask for one are tried.
    if (decoder.program_name.has_value() == program.empty()) continue;
    if (decoder.program_name && !decoder.program_name->matches(program)) continue;
    std::size_t from = 0;
    if (decoder.prematch) {
      const auto end = decoder.prematch->match_end(log);
      if (!end) continue;
      if (decoder.after_prematch) from = *end;
    }
    out.json = decoder.name == "json";
    json::Document document;
    // A line that does not parse stays "decoded by json" without any field, as in Wazuh.
    if (const auto root = document.parse(log.substr(from))) fill(*root, "", out);
    return out;
  }
  return out;
}

DecodedLine decode_line(std::string_view line) {
  static const std::vector<JsonDecoder> kStock = stock_decoders();
  return decode_line(line, kStock);
}

bool is_static_field(std::string_view name) {
  std::string folded(name);
  std::transform(folded.begin(), folded.end(), folded.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::find(kStaticFields.begin(), kStaticFields.end(), folded) != kStaticFields.end();
}

}  // namespace lilith::wazuh
