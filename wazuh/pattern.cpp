#include "wazuh/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <array>
#include <pcre2.h>
#include <vector>

namespace lilith::wazuh {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
  return out;
}

struct Alternative {
  std::string text;  // lower case
  bool at_begin = false;
  bool at_end = false;

  [[nodiscard]] bool matches(std::string_view value) const {
    if (at_begin && at_end) return value == text;
    if (at_begin) return value.starts_with(text);
    if (at_end) return value.ends_with(text);
    return value.find(text) != std::string_view::npos;
  }
};

// One alternative of OSREGEX or OSMATCH; both give ^ and $ a meaning at the ends only.
Alternative alternative(std::string_view text) {
  Alternative out;
  if (text.starts_with('^')) {
    out.at_begin = true;
    text.remove_prefix(1);
  }
  if (text.ends_with('$')) {
    out.at_end = true;
    text.remove_suffix(1);
  }
  out.text = lower(text);
  return out;
}

struct CodeDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct MatchDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

PCRE2_SPTR bytes(std::string_view text) {
  return static_cast<PCRE2_SPTR>(static_cast<const void*>(text.data()));
}

}  // namespace

struct Pattern::Impl {
  std::vector<Alternative> alternatives;          // OSMATCH, OSREGEX
  std::unique_ptr<pcre2_code, CodeDeleter> code;  // PCRE2
};

Pattern::Pattern(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::compile(PatternKind kind, std::string_view text) {
  auto impl = std::make_unique<Impl>();
  if (kind == PatternKind::kPcre2) {
    int error = 0;
    PCRE2_SIZE at = 0;
    impl->code.reset(pcre2_compile(bytes(text), text.size(), 0, &error, &at, nullptr));
    if (!impl->code) {
      std::array<PCRE2_UCHAR, 256> message{};
      pcre2_get_error_message(error, message.data(), message.size());
      return fail(ErrorCode::kInvalidInput,
                  "pcre2 pattern '" + std::string(text) + "' at " + std::to_string(at) + ": " +
                      std::string(message.begin(), std::find(message.begin(), message.end(), 0)));
    }
    return Pattern(std::move(impl));
  }
  // A backslash class, a group or a repetition needs the real engine.
  const std::string_view refused = kind == PatternKind::kOsRegex ? "\\()+*" : "\\!";
  if (text.find_first_of(refused) != std::string_view::npos) {
    return fail(
        ErrorCode::kInvalidInput,
        "pattern '" + std::string(text) + "' is not supported here: write it with type=\"pcre2\"");
  }
  for (;;) {
    const std::size_t bar = text.find('|');
    impl->alternatives.push_back(alternative(text.substr(0, bar)));
    if (bar == std::string_view::npos) break;
    text.remove_prefix(bar + 1);
  }
  return Pattern(std::move(impl));
}

bool Pattern::matches(std::string_view value) const {
  if (impl_->code) {
    const std::unique_ptr<pcre2_match_data, MatchDeleter> data(
        pcre2_match_data_create_from_pattern(impl_->code.get(), nullptr));
    return pcre2_match(impl_->code.get(), bytes(value), value.size(), 0, 0, data.get(), nullptr) >=
           0;
  }
  const std::string folded = lower(value);
  return std::any_of(impl_->alternatives.begin(), impl_->alternatives.end(),
                     [&](const Alternative& a) { return a.matches(folded); });
}

}  // namespace lilith::wazuh
