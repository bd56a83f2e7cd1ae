#include "enforcer/setup/jsonc.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "enforcer/mcp/raw_json.hpp"

#include <algorithm>
#include <unordered_set>

namespace lilith::enforcer::setup {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kDigits = "0123456789";

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<JsonNode> document() {
    if (!is_valid_utf8(text_)) return fail(ErrorCode::kInvalidInput, "the text is no valid UTF-8");
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
    auto root = value(0);
    if (!root) return root;
    if (auto skipped = skip(); !skipped) return pass_error(skipped);
    if (at_ < text_.size()) return wrong("text behind the end of the value");
    return root;
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view what) const {
    return wrong_at(at_, what);
  }
  [[nodiscard]] std::unexpected<Error> wrong_at(std::size_t at, std::string_view what) const {
    return fail(ErrorCode::kInvalidInput, place_in(text_, at) + ": " + std::string(what));
  }
  [[nodiscard]] char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  // Blanks and comments.
  Result<void> skip() {
    while (true) {
      at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size());
      const std::string_view two = text_.substr(at_, 2);
      if (two == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (two == "/*") {
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return wrong("a comment without an end");
        at_ = end + 2;
      } else {
        return {};
      }
    }
  }

  Result<JsonNode> value(std::size_t depth) {
    if (depth > limits::kJsonDepthMax) return wrong("the nesting is too deep");
    if (auto skipped = skip(); !skipped) return pass_error(skipped);
    JsonNode node;
    node.begin = node.item = at_;
    Result<void> read;
    switch (here()) {
      case '{':
      case '[':
        node.type = here() == '{' ? JsonType::kObject : JsonType::kArray;
        read = container(node, depth);
        break;
      case '"':
        node.type = JsonType::kString;
        read = string(node.text);
        break;
      default:
        read = scalar(node);
    }
    if (!read) return pass_error(read);
    node.end = at_;
    return node;
  }

  Result<void> container(JsonNode& node, std::size_t depth) {
    const char close = node.type == JsonType::kObject ? '}' : ']';
    std::unordered_set<std::string> keys;
    ++at_;
    while (true) {
      if (auto skipped = skip(); !skipped) return skipped;
      if (here() == close) break;
      if (!node.children.empty() && node.commas.back() == kNoComma) {
        return wrong(at_ < text_.size() ? "a comma or a closing bracket is missing"
                                        : "the text ends too early");
      }
      auto child = node.type == JsonType::kObject ? member(depth) : value(depth + 1);
      if (!child) return pass_error(child);
      if (node.type == JsonType::kObject && !keys.insert(child->key).second) {
        return wrong_at(child->item, "the key " + printable(child->key) + " stands twice");
      }
      node.children.push_back(std::move(*child));
      if (auto skipped = skip(); !skipped) return skipped;
      node.commas.push_back(here() == ',' ? at_ : kNoComma);
      if (here() == ',') ++at_;
    }
    ++at_;
    return {};
  }

  Result<JsonNode> member(std::size_t depth) {
    if (here() != '"') {
      return wrong(at_ < text_.size() ? "a key in double quotes is missing"
                                      : "the text ends too early");
    }
    const std::size_t item = at_;
    std::string key;
    if (auto read = string(key); !read) return pass_error(read);
    if (auto skipped = skip(); !skipped) return pass_error(skipped);
    if (here() != ':') return wrong("a colon is missing");
    ++at_;
    auto child = value(depth + 1);
    if (!child) return child;
    child->item = item;
    child->key = std::move(key);
    return child;
  }

  Result<void> string(std::string& out) {
    const std::size_t start = at_++;
    while (true) {
      const char c = here();
      if (at_ >= text_.size()) return wrong_at(start, "a text without a closing quote");
      if (static_cast<unsigned char>(c) < 0x20) return wrong("a control character in a text");
      ++at_;
      if (c == '"') break;
      if (c != '\\') continue;
      const char escape = here();
      if (std::string_view("\"\\/bfnrtu").find(escape) == std::string_view::npos || escape == '\0')
        return wrong("an unknown escape in a text");
      ++at_;
      if (escape != 'u') continue;
      const std::string_view digits = text_.substr(at_, 4);
      if (digits.size() < 4 ||
          digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
        return wrong("four hexadecimal digits are missing");
      }
      at_ += 4;
    }
    out = mcp::unescaped(text_.substr(start + 1, at_ - start - 2));
    return {};
  }

  std::size_t digits() {
    const std::size_t from = at_;
    at_ = std::min(text_.find_first_not_of(kDigits, at_), text_.size());
    return at_ - from;
  }

  Result<void> number() {
    if (here() == '-') ++at_;
    const bool zero = here() == '0';
    const std::size_t whole = digits();
    if (whole == 0 || (zero && whole > 1)) return wrong("a number that is none");
    if (here() == '.') {
      ++at_;
      if (digits() == 0) return wrong("a number that is none");
    }
    if (here() == 'e' || here() == 'E') {
      ++at_;
      if (here() == '+' || here() == '-') ++at_;
      if (digits() == 0) return wrong("a number that is none");
    }
    return {};
  }

  Result<void> scalar(JsonNode& node) {
    if (at_ >= text_.size()) return wrong("the text ends too early");
    const std::size_t end =
        std::min(text_.find_first_not_of("abcdefghijklmnopqrstuvwxyz", at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    if (word == "true" || word == "false" || word == "null") {
      node.type = word == "null" ? JsonType::kNull : JsonType::kBool;
      at_ = end;
      return {};
    }
    node.type = JsonType::kNumber;
    if (here() != '-' && kDigits.find(here()) == std::string_view::npos)
      return wrong("no value begins so");
    return number();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<JsonNode> parse_jsonc(std::string_view text) { return Parser(text).document(); }

const JsonNode* find_member(const JsonNode& object, std::string_view key) {
  if (object.type != JsonType::kObject) return nullptr;
  for (const JsonNode& child : object.children) {
    if (child.key == key) return &child;
  }
  return nullptr;
}

std::string_view text_member(const JsonNode& object, std::string_view key) {
  const JsonNode* found = find_member(object, key);
  return found != nullptr && found->type == JsonType::kString ? std::string_view(found->text)
                                                              : std::string_view{};
}

std::string place_in(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " + std::to_string(at - start + 1);
}

}  // namespace lilith::enforcer::setup
