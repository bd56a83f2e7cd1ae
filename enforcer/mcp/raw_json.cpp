#include "enforcer/mcp/raw_json.hpp"

#include <algorithm>
#include <cstdint>

namespace lilith::enforcer::mcp {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

// Behind the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  ++at;
  while (at < text.size()) {
    at = text.find_first_of("\"\\", at);
    if (at == std::string_view::npos) return text.size();
    if (text[at] == '"') return at + 1;
    at += 2;  // and what is escaped
  }
  return text.size();
}

// Behind the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
  if (at >= text.size()) return text.size();
  if (text[at] == '"') return skip_string(text, at);
  if (text[at] != '{' && text[at] != '[') {
    return std::min(text.find_first_of(",]} \t\r\n", at), text.size());
  }
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return at;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The four hexadecimal digits at `at`, or nullopt.
std::optional<std::uint32_t> code_unit(std::string_view text, std::size_t at) {
  if (at + 4 > text.size()) return std::nullopt;
  std::uint32_t unit = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const int digit = hex_value(text[i]);
    if (digit < 0) return std::nullopt;
    unit = unit * 16 + static_cast<std::uint32_t>(digit);
  }
  return unit;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xC0U | code >> 6U);
  } else {
    if (code < 0x10000) {
      put(0xE0U | code >> 12U);
    } else {
      put(0xF0U | code >> 18U);
      put(0x80U | (code >> 12U & 0x3FU));
    }
    put(0x80U | (code >> 6U & 0x3FU));
  }
  put(0x80U | (code & 0x3FU));
}

// One \uXXXX, or two that are a pair; `at` stands behind the 'u' and is moved behind the digits.
void append_unit(std::string& out, std::string_view text, std::size_t& at) {
  constexpr std::uint32_t kReplacement = 0xFFFD;
  const auto high = code_unit(text, at);
  at = std::min(at + 4, text.size());
  if (!high) return append_utf8(out, kReplacement);
  if (*high < 0xD800 || *high > 0xDFFF) return append_utf8(out, *high);
  const bool pair_follows = *high < 0xDC00 && text.substr(at, 2) == "\\u";
  const auto low = pair_follows ? code_unit(text, at + 2) : std::nullopt;
  if (!low || *low < 0xDC00 || *low > 0xDFFF) return append_utf8(out, kReplacement);
  at += 6;
  append_utf8(out, 0x10000U + ((*high - 0xD800U) << 10U) + (*low - 0xDC00U));
}

}  // namespace

std::string unescaped(std::string_view inner) {
  std::string out;
  out.reserve(inner.size());
  for (std::size_t at = 0; at < inner.size();) {
    const char c = inner[at++];
    if (c != '\\' || at == inner.size()) {
      out.push_back(c);
      continue;
    }
    const char escape = inner[at++];
    constexpr std::string_view kLetters = "bfnrt", kMeans = "\b\f\n\r\t";
    if (escape == 'u') {
      append_unit(out, inner, at);
    } else if (const std::size_t index = kLetters.find(escape); index != std::string_view::npos) {
      out.push_back(kMeans[index]);
    } else {
      out.push_back(escape);
    }
  }
  return out;
}

std::vector<std::string_view> raw_elements(std::string_view array) {
  std::vector<std::string_view> out;
  std::size_t at = skip_blanks(array, 0);
  if (at >= array.size() || array[at] != '[') return out;
  at = skip_blanks(array, at + 1);
  while (at < array.size() && array[at] != ']') {
    const std::size_t end = skip_value(array, at);
    out.push_back(array.substr(at, end - at));
    at = skip_blanks(array, end);
    if (at < array.size() && array[at] == ',') at = skip_blanks(array, at + 1);
  }
  return out;
}

std::vector<std::pair<std::string, std::string_view>> raw_members(std::string_view object) {
  std::vector<std::pair<std::string, std::string_view>> out;
  std::size_t at = skip_blanks(object, 0);
  if (at >= object.size() || object[at] != '{') return out;
  at = skip_blanks(object, at + 1);
  while (at < object.size() && object[at] == '"') {
    const std::size_t key_end = skip_string(object, at);
    if (key_end < at + 2) break;
    std::string key = unescaped(object.substr(at + 1, key_end - at - 2));
    at = skip_blanks(object, key_end);
    if (at >= object.size() || object[at] != ':') break;
    at = skip_blanks(object, at + 1);
    const std::size_t end = skip_value(object, at);
    out.emplace_back(std::move(key), object.substr(at, end - at));
    at = skip_blanks(object, end);
    if (at < object.size() && object[at] == ',') at = skip_blanks(object, at + 1);
  }
  return out;
}

std::optional<std::string_view> raw_member(std::string_view object, std::string_view key) {
  for (const auto& [name, value] : raw_members(object)) {
    if (name == key) return value;
  }
  return std::nullopt;
}

}  // namespace lilith::enforcer::mcp
