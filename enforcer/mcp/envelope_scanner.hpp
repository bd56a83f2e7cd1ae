#pragma once
// Follows one JSON line of any length byte by byte and remembers only what tells whose answer it
// is.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::enforcer::mcp {

class EnvelopeScanner {
 public:
  void reset() { *this = EnvelopeScanner(); }
  // The line's next bytes, in pieces of any size, without its LF.
  void feed(std::string_view bytes);

  [[nodiscard]] bool is_array() const { return is_array_; }
  // JSON text of the envelope's "id", when it has exactly one that is text or a number.
  [[nodiscard]] std::optional<std::string> id() const;
  // The envelope's "result" has a member "tools": an answer to tools/list. Keys are compared as
  // readers do that ignore case.
  [[nodiscard]] bool has_tools() const { return has_tools_; }
  // The envelope has a "method": no answer.
  [[nodiscard]] bool has_method() const { return has_method_; }

 private:
  void end_of_key();
  void end_of_id();
  void structural(char c);
  void plain(char c);

  enum class Keeps { kNothing, kKey, kId };
  std::size_t depth_ = 0;
  bool in_string_ = false, escaped_ = false, is_array_ = false;
  bool expects_key_ = false;  // at depth 1, or at depth 2 within "result"
  bool in_result_ = false;    // the value of "result" is open
  bool has_tools_ = false, has_method_ = false;
  Keeps keeps_ = Keeps::kNothing;
  std::string kept_;
  std::string key_;  // folded, of depth 1
  std::string id_;
  int ids_ = 0;
  bool unclear_ = false;
};

}  // namespace lilith::enforcer::mcp
