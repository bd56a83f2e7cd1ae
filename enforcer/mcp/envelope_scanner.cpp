#include "enforcer/mcp/envelope_scanner.hpp"

#include "enforcer/mcp/message.hpp"
#include "enforcer/mcp/raw_json.hpp"

namespace lilith::enforcer::mcp {
namespace {

// Longer keys are none that are asked for; a longer id is not remembered. Escapes are six bytes.
constexpr std::size_t kKeyBytesMax = 64;
constexpr std::size_t kIdBytesMax = 4096;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

}  // namespace

std::optional<std::string> EnvelopeScanner::id() const {
  if (ids_ != 1 || unclear_) return std::nullopt;
  return id_;
}

void EnvelopeScanner::end_of_key() {
  const std::string key =
      kept_.size() > kKeyBytesMax ? std::string() : folded_key(unescaped(kept_));
  keeps_ = Keeps::kNothing;
  expects_key_ = false;
  if (depth_ == 1) {
    key_ = key;
    has_method_ = has_method_ || key == "method";
  } else if (key == "tools") {
    has_tools_ = true;
  }
}

void EnvelopeScanner::end_of_id() {
  keeps_ = Keeps::kNothing;
  if (kept_.size() > kIdBytesMax) unclear_ = true;
  id_ = kept_;
  ++ids_;
  key_.clear();
}

void EnvelopeScanner::structural(char c) {
  if (keeps_ == Keeps::kId) end_of_id();  // a number ends here
  switch (c) {
    case '{':
    case '[':
      if (depth_ == 1 && key_ == "id") unclear_ = true;
      in_result_ = in_result_ || (depth_ == 1 && c == '{' && key_ == "result");
      if (depth_ == 0) is_array_ = c == '[';
      ++depth_;
      expects_key_ = c == '{' && (depth_ == 1 || (depth_ == 2 && in_result_));
      break;
    case '}':
    case ']':
      if (depth_ > 0) --depth_;
      if (depth_ == 1) in_result_ = false;
      expects_key_ = false;
      break;
    case ',':
      expects_key_ = !is_array_ && (depth_ == 1 || (depth_ == 2 && in_result_));
      if (depth_ == 1) key_.clear();
      break;
    default:
      break;
  }
}

// Outside of strings and structure.
void EnvelopeScanner::plain(char c) {
  if (keeps_ == Keeps::kId) {
    if (is_blank(c)) return end_of_id();
    if (kept_.size() <= kIdBytesMax) kept_.push_back(c);
    return;
  }
  if (depth_ == 1 && key_ == "id" && !is_blank(c)) {
    keeps_ = Keeps::kId;
    kept_.assign(1, c);
  }
}

void EnvelopeScanner::feed(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (in_string_ && keeps_ == Keeps::kNothing && !escaped_) {
      at = bytes.find_first_of("\"\\", at);
      if (at == std::string_view::npos) return;
    }
    const char c = bytes[at];
    if (in_string_) {
      if (!escaped_ && c == '"') {
        in_string_ = false;
        if (keeps_ == Keeps::kKey) end_of_key();
        if (keeps_ == Keeps::kId) {
          kept_.push_back('"');
          end_of_id();
        }
        continue;
      }
      escaped_ = !escaped_ && c == '\\';
      if (keeps_ != Keeps::kNothing && kept_.size() <= kIdBytesMax) kept_.push_back(c);
      continue;
    }
    if (c == '"') {
      in_string_ = true;
      if (expects_key_) {
        keeps_ = Keeps::kKey;
        kept_.clear();
      } else if (depth_ == 1 && key_ == "id") {
        keeps_ = Keeps::kId;
        kept_ = "\"";
      }
    } else if (c == '{' || c == '[' || c == '}' || c == ']' || c == ',') {
      structural(c);
    } else if (c != ':') {
      plain(c);
    }
  }
}

}  // namespace lilith::enforcer::mcp
