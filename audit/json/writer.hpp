#pragma once
// The project's one JSON writer (RFC 8259): appends to a string in the order of the calls. Events,
// verdicts and reports all go through it. No floats in events; numbers there are integers below
// 2^31 or strings.

#include <cstdint>
#include <string>
#include <string_view>

namespace lilith::json {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& value(std::string_view text);  // escaped; invalid UTF-8 is replaced by U+FFFD
  Writer& value(const char* text) { return value(std::string_view(text)); }
  Writer& value(const std::string& text) { return value(std::string_view(text)); }
  Writer& value(std::int64_t number);
  Writer& value(std::uint64_t number);
  Writer& value(int number) { return value(static_cast<std::int64_t>(number)); }
  Writer& value(unsigned number) { return value(static_cast<std::uint64_t>(number)); }
  Writer& value(double number);  // shortest form that reads back; reports only
  Writer& value(bool flag);
  Writer& raw(std::string_view json);  // already JSON

  template <class T>
  Writer& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }

 private:
  void separate();
  std::string& out_;
  bool need_comma_ = false;
};

// Appends `text` as a JSON string with its quotes.
void append_string(std::string& out, std::string_view text);

}  // namespace lilith::json
