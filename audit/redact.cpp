#include "audit/redact.hpp"

#include "audit/base/byte_set.hpp"
#include "audit/base/text.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace lilith::audit {
namespace {

constexpr ByteSet kWord("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
bool is_word(char c) { return kWord.has(c); }
bool is_token(char c) { return is_word(c) || c == '-'; }
bool ends_value(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '"' || c == '\'' || c == '&' || c == '|' ||
         c == ';' || c == ')' || c == '<' || c == '>' || c == '`' || c == '\\' || c == ',';
}

// Key shapes that issuers document as prefixes, with the least number of characters that follow.
// Sources: GitHub "token formats", GitLab "token prefixes", AWS IAM "unique identifiers", Slack,
// npm, Google and Anthropic key formats as collected in gitleaks' default rules.
struct KeyShape {
  std::string_view prefix;
  std::size_t rest_min;
  std::string_view kind;
};
constexpr std::array kKeyShapes{
    KeyShape{"AKIA", 16, "aws_key"},        KeyShape{"ASIA", 16, "aws_key"},
    KeyShape{"ghp_", 36, "github_token"},   KeyShape{"gho_", 36, "github_token"},
    KeyShape{"ghs_", 36, "github_token"},   KeyShape{"ghu_", 36, "github_token"},
    KeyShape{"ghr_", 36, "github_token"},   KeyShape{"github_pat_", 40, "github_token"},
    KeyShape{"glpat-", 20, "gitlab_token"}, KeyShape{"xoxb-", 20, "slack_token"},
    KeyShape{"xoxp-", 20, "slack_token"},   KeyShape{"xoxa-", 20, "slack_token"},
    KeyShape{"sk-ant-", 20, "api_key"},     KeyShape{"sk-proj-", 20, "api_key"},
    KeyShape{"sk_live_", 20, "api_key"},    KeyShape{"AIza", 35, "api_key"},
    KeyShape{"npm_", 36, "npm_token"},
};

constexpr ByteSet kKeyStarts = [] {
  ByteSet starts("");
  for (const KeyShape& shape : kKeyShapes) starts.add(shape.prefix.front());
  return starts;
}();

// Long options whose value is a secret wherever they stand.
constexpr std::array<std::string_view, 6> kSecretOptions{
    "--password", "--passwd", "--token", "--api-key", "--secret", "--access-token"};
// Names of URL parameters and ends of variable names that carry secrets.
constexpr std::array<std::string_view, 8> kSecretParameters{
    "access_token", "api_key", "apikey", "token", "password", "secret", "sig", "signature"};
constexpr std::array<std::string_view, 6> kSecretVariables{
    "_TOKEN", "_SECRET", "_PASSWORD", "_API_KEY", "_ACCESS_KEY", "_PRIVATE_KEY"};
// Members of JSON objects (arguments of tools, bodies in commands), in lower case without _ and -.
constexpr std::array<std::string_view, 13> kSecretMembers{
    "password",    "passwd",       "secret",       "token",      "apikey",
    "accesstoken", "refreshtoken", "clientsecret", "privatekey", "secretkey",
    "accesskey",   "authtoken",    "authorization"};

class Scanner {
 public:
  explicit Scanner(const std::string& text) : text_(text) {}

  // Whether anything was replaced; `out` and `kinds` then hold the result.
  bool run() {
    while (at_ < text_.size()) {
      const bool starts_word = at_ == 0 || !is_token(text_[at_ - 1]);
      // Nothing that is looked for begins within a word.
      if (!starts_word && is_word(text_[at_])) {
        ++at_;
        continue;
      }
      if (pem_block() || userinfo() ||
          (starts_word && (key_shape() || jwt() || option() || header() || assignment())) ||
          url_parameter() || json_member()) {
        continue;
      }
      ++at_;
    }
    out.append(text_, copied_);
    return !kinds.empty();
  }

  std::string out;
  std::vector<std::string_view> kinds;

 private:
  [[nodiscard]] std::string_view rest() const { return std::string_view(text_).substr(at_); }

  // Replaces text_[from, to) and goes on after it.
  bool replace(std::size_t from, std::size_t to, std::string_view kind) {
    if (to <= from) return false;
    // A variable, a substitution or an earlier redaction is no secret.
    const char first = text_[from];
    if (first == '$' || first == '`' || first == '<' || first == '[') return false;
    out.append(text_, copied_, from - copied_);
    out += "[redacted:";
    out += kind;
    out += "]";
    copied_ = at_ = to;
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
    return true;
  }

  [[nodiscard]] std::size_t value_end(std::size_t from) const {
    std::size_t end = from;
    while (end < text_.size() && !ends_value(text_[end])) ++end;
    return end;
  }
  // The value may stand in quotes.
  bool replace_value(std::size_t from, std::string_view kind) {
    if (from < text_.size() && (text_[from] == '"' || text_[from] == '\'')) ++from;
    return replace(from, value_end(from), kind);
  }

  bool pem_block() {
    if (!rest().starts_with("-----BEGIN ")) return false;
    const std::size_t head_end = text_.find("-----", at_ + 11);
    if (head_end == std::string::npos ||
        std::string_view(text_).substr(at_, head_end - at_).find("PRIVATE KEY") ==
            std::string_view::npos) {
      return false;
    }
    // Without an end, or with half of one, to the end of the text.
    const std::size_t tail = text_.find("-----END ", head_end);
    const std::size_t end = tail == std::string::npos ? tail : text_.find("-----", tail + 9);
    return replace(at_, end == std::string::npos ? text_.size() : end + 5, "private_key");
  }

  // RFC 3986 userinfo with a password: scheme://user:PASSWORD@host
  bool userinfo() {
    if (!rest().starts_with("://")) return false;
    const std::size_t from = at_ + 3;
    std::size_t colon = std::string::npos;
    for (std::size_t i = from; i < text_.size() && !ends_value(text_[i]); ++i) {
      if (text_[i] == '/' || text_[i] == '?' || text_[i] == '#' || text_[i] == '[') break;
      if (text_[i] == ':' && colon == std::string::npos) colon = i;
      if (text_[i] == '@') {
        return replace(colon == std::string::npos ? from : colon + 1, i, "userinfo");
      }
    }
    return false;
  }

  bool key_shape() {
    if (!kKeyStarts.has(text_[at_])) return false;
    for (const KeyShape& shape : kKeyShapes) {
      if (!rest().starts_with(shape.prefix)) continue;
      std::size_t end = at_ + shape.prefix.size();
      while (end < text_.size() && is_token(text_[end])) ++end;
      if (end - at_ >= shape.prefix.size() + shape.rest_min) return replace(at_, end, shape.kind);
    }
    return false;
  }

  // RFC 7519: three base64url parts, the first of which is a JSON object (eyJ...).
  bool jwt() {
    if (!rest().starts_with("eyJ")) return false;
    std::size_t end = at_;
    int dots = 0;
    while (end < text_.size() && (is_token(text_[end]) || text_[end] == '.')) {
      if (text_[end++] == '.') ++dots;
    }
    return dots == 2 && end - at_ > 40 && replace(at_, end, "jwt");
  }

  bool option() {
    if (text_[at_] != '-') return false;
    for (const std::string_view name : kSecretOptions) {
      if (!rest().starts_with(name)) continue;
      const std::size_t after = at_ + name.size();
      if (after < text_.size() && (text_[after] == '=' || text_[after] == ' ') &&
          after + 1 < text_.size() && text_[after + 1] != '-') {
        return replace_value(after + 1, "option");
      }
    }
    return false;
  }

  // RFC 9110 Authorization header: scheme and credentials.
  bool header() {
    constexpr std::string_view kName = "authorization:";
    if (text_[at_] != 'a' && text_[at_] != 'A') return false;
    if (ascii_lower(rest().substr(0, kName.size())) != kName) return false;
    std::size_t from = at_ + kName.size();
    while (from < text_.size() && text_[from] == ' ') ++from;
    for (const std::string_view scheme : {"bearer ", "basic ", "token "}) {
      if (ascii_lower(std::string_view(text_).substr(from, scheme.size())) == scheme) {
        return replace_value(from + scheme.size(), "authorization");
      }
    }
    return false;
  }

  bool assignment() {
    std::size_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    if (end == at_ || end >= text_.size() || text_[end] != '=') return false;
    const std::string_view name = std::string_view(text_).substr(at_, end - at_);
    for (const std::string_view suffix : kSecretVariables) {
      if (name.size() > suffix.size() && name.ends_with(suffix)) {
        return replace_value(end + 1, "variable");
      }
    }
    return false;
  }

  bool url_parameter() {
    if (text_[at_] != '?' && text_[at_] != '&') return false;
    for (const std::string_view name : kSecretParameters) {
      const std::string_view after = rest().substr(1);
      if (after.size() > name.size() && after[name.size()] == '=' &&
          ascii_lower(after.substr(0, name.size())) == name) {
        return replace_value(at_ + 2 + name.size(), "parameter");
      }
    }
    return false;
  }

  // "name": "value" (RFC 8259).
  bool json_member() {
    if (text_[at_] != '"') return false;
    std::string name;
    std::size_t end = at_ + 1;
    for (; end < text_.size() && is_token(text_[end]); ++end) {
      if (text_[end] != '_' && text_[end] != '-') name.push_back(text_[end]);
    }
    if (std::ranges::find(kSecretMembers, ascii_lower(name)) == kSecretMembers.end()) return false;
    const auto comes = [&](char wanted) {
      while (end < text_.size() && text_[end] == ' ') ++end;
      if (end == text_.size() || text_[end] != wanted) return false;
      ++end;
      return true;
    };
    if (end == text_.size() || text_[end] == ' ' || !comes('"') || !comes(':') || !comes('"')) {
      return false;
    }
    std::size_t stop = end;
    while (stop < text_.size() && text_[stop] != '"') stop += text_[stop] == '\\' ? 2U : 1U;
    return replace(end, std::min(stop, text_.size()), "member");
  }

  const std::string& text_;
  std::size_t at_ = 0;
  std::size_t copied_ = 0;
};

}  // namespace

std::string redact_text(std::string& text) {
  Scanner scanner(text);
  if (!scanner.run()) return {};
  text = std::move(scanner.out);
  std::string kinds;
  for (const std::string_view kind : scanner.kinds) {
    if (!kinds.empty()) kinds.push_back(',');
    kinds += kind;
  }
  return kinds;
}

void redact(Event& event) {
  const auto one = [&event](const char* member, std::string& value) {
    const std::string kinds = redact_text(value);
    if (kinds.empty()) return;
    if (!event.redacted.empty()) event.redacted.push_back(' ');
    event.redacted += std::string(member) + "=" + kinds;
  };
  one("call.command", event.call.command);
  one("call.arguments", event.call.arguments);
  for (std::string& url : event.call.urls) one("call.urls", url);
  one("operation.command", event.operation.command);
  one("operation.url", event.operation.url);
  one("reason", event.reason);
  for (std::string& text : event.also) one("also", text);
}

}  // namespace lilith::audit
