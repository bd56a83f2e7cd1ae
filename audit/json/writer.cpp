#include "audit/json/writer.hpp"

#include "audit/base/eight_bytes.hpp"
#include "audit/base/text.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace lilith::json {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool needs_escape(unsigned char c) { return c < 0x20 || c == '"' || c == '\\' || c == 0x7F; }

// Where ASCII that stands in a JSON string as it is ends. The zeros behind a text are none.
std::size_t end_of_plain(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t eight = eight_bytes(text, at);
    const std::uint64_t other = (bytes_between(eight, ' ', '~') ^ kHighBits) |
                                bytes_equal(eight, '"') | bytes_equal(eight, '\\');
    if (other != 0) return at + first_byte(other);
  }
  return text.size();
}

void append_escape(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

template <class Number>
void append_number(std::string& out, Number number) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
  out.append(buffer, end);
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  const std::size_t plain_end = end_of_plain(text);
  std::string repaired;
  if (plain_end != text.size() && !is_valid_utf8(text.substr(plain_end))) {
    repaired = to_valid_utf8(text);  // with the same plain bytes in front
    text = repaired;
  }
  out.push_back('"');
  std::size_t plain = 0;
  for (std::size_t i = plain_end; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!needs_escape(c)) continue;
    out.append(text, plain, i - plain);
    append_escape(out, c);
    plain = i + 1;
  }
  out.append(text, plain);
  out.push_back('"');
}

void Writer::separate() {
  if (need_comma_) out_.push_back(',');
  need_comma_ = true;
}

Writer& Writer::begin_object() {
  separate();
  out_.push_back('{');
  need_comma_ = false;
  return *this;
}

Writer& Writer::end_object() {
  out_.push_back('}');
  need_comma_ = true;
  return *this;
}

Writer& Writer::begin_array() {
  separate();
  out_.push_back('[');
  need_comma_ = false;
  return *this;
}

Writer& Writer::end_array() {
  out_.push_back(']');
  need_comma_ = true;
  return *this;
}

Writer& Writer::key(std::string_view name) {
  separate();
  append_string(out_, name);
  out_.push_back(':');
  need_comma_ = false;
  return *this;
}

Writer& Writer::value(std::string_view text) {
  separate();
  append_string(out_, text);
  return *this;
}

Writer& Writer::value(std::int64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

Writer& Writer::value(std::uint64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

Writer& Writer::value(double number) {
  separate();
  if (std::isfinite(number)) {
    append_number(out_, number);
  } else {
    out_ += "null";  // RFC 8259 section 6 has no infinities and no NaN
  }
  return *this;
}

Writer& Writer::value(bool flag) {
  separate();
  out_ += flag ? "true" : "false";
  return *this;
}

Writer& Writer::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace lilith::json
