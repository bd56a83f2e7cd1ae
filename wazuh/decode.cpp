#include "wazuh/decode.hpp"

#include "audit/json/reader.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
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
      if (key == "action" && !value.is_object()) out.action = value_text(value);
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

// The stock decoder's prematch ^{\s*" (OSREGEX \s is a blank).
bool is_json_line(std::string_view line) {
  if (!line.starts_with('{')) return false;
  const std::size_t quote = line.find_first_not_of(' ', 1);
  return quote != std::string_view::npos && line[quote] == '"';
}

}  // namespace

const std::string* DecodedLine::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return &value;
  }
  return nullptr;
}

DecodedLine decode_line(std::string_view line) {
  DecodedLine out;
  out.json = is_json_line(line);
  if (!out.json) return out;
  json::Document document;
  // A line that does not parse stays "decoded by json" without any field, as in Wazuh.
  if (const auto root = document.parse(line)) fill(*root, "", out);
  return out;
}

bool is_static_field(std::string_view name) {
  std::string folded(name);
  std::transform(folded.begin(), folded.end(), folded.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return std::find(kStaticFields.begin(), kStaticFields.end(), folded) != kStaticFields.end();
}

}  // namespace lilith::wazuh
