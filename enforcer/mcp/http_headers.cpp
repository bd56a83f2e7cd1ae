#include "enforcer/mcp/http_headers.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace lilith::enforcer::mcp {
namespace {

constexpr std::string_view kDeclaration = "x-mcp-header";
constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
  return !text.empty() && text.find_first_not_of(kLetters) == std::string_view::npos;
}

// Headers that say where a message goes, how long it is, or what the protocol says itself.
bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 10> kOurs{
      "accept",        "connection", "content-length",    "content-type", "expect", "host",
      "last-event-id", "te",         "transfer-encoding", "upgrade"};
  const std::string lower = ascii_lower(name);
  return lower.starts_with("mcp-") || std::find(kOurs.begin(), kOurs.end(), lower) != kOurs.end();
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return c != '\t' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7F);
  });
}

Result<std::string> replaced(std::string_view text, const Variable& variable) {
  std::string out;
  while (true) {
    const std::size_t begin = text.find("${");
    out += text.substr(0, begin);
    if (begin == std::string_view::npos) return out;
    const std::size_t end = text.find('}', begin);
    if (end == std::string_view::npos) {
      return fail(ErrorCode::kInvalidInput, "a ${ has no } behind it");
    }
    const std::string name(text.substr(begin + 2, end - begin - 2));
    const auto value = variable(name);
    if (!value) {
      return fail(ErrorCode::kInvalidInput,
                  "the variable " + printable(name) + " is not set in the environment");
    }
    out += *value;
    text.remove_prefix(end + 1);
  }
}

Result<std::string> read_header(std::string_view text, const Variable& variable) {
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name)) {
    // Whatever it is: it may hold a secret.
    return fail(ErrorCode::kInvalidInput, "a --header is not of the form 'Name: value'");
  }
  const std::string where = "--header " + std::string(name) + ": ";
  if (is_ours(name)) {
    return fail(ErrorCode::kInvalidInput, where + "lilith sets this header itself");
  }
  auto value = replaced(text.substr(colon + 1), variable);
  if (!value) return fail(ErrorCode::kInvalidInput, where + value.error().message);
  const std::size_t begin = value->find_first_not_of(" \t");
  if (begin == std::string::npos) {
    return fail(ErrorCode::kInvalidInput, where + "the value is empty");
  }
  if (!is_field_value(*value)) {
    return fail(ErrorCode::kInvalidInput, where + "the value has a control character");
  }
  return std::string(name) + ": " + value->substr(begin);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const bool there = at + i < bytes.size();
      group = group << 8U | (there ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      const bool there = at + i <= bytes.size();
      out.push_back(there ? kDigits[group >> (18U - 6U * i) & 63U] : '=');
    }
  }
  return out;
}

// SEP-2243: what a field value can't carry as it is goes in base64 between marks.
std::string encoded(std::string_view text) {
  const bool plain = !text.empty() && text.front() != ' ' && text.front() != '\t' &&
                     text.back() != ' ' && text.back() != '\t' && is_field_value(text) &&
                     std::none_of(text.begin(), text.end(),
                                  [](char c) { return static_cast<unsigned char>(c) > 0x7E; }) &&
                     !(text.starts_with("=?base64?") && text.ends_with("?="));
  return plain ? std::string(text) : "=?base64?" + base64(text) + "?=";
}

// As a header has it: strings, booleans, and numbers as JavaScript writes them without an exponent
// (ECMA-262, Number::toString), integers as far as every reader of JSON reads them alike (RFC 8259
// section 6). Nothing for any other number: its server compares texts.
std::optional<std::string> plain_text(json::View value) {
  constexpr double kSafe = 9007199254740991.0, kSmallest = 1e-6;
  if (const auto text = value.string()) return std::string(*text);
  if (const auto flag = value.boolean()) return *flag ? "true" : "false";
  const json::Type type = value.type();
  if (type != json::Type::kInteger && type != json::Type::kDouble) return std::nullopt;
  const std::string text = value.to_json();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const double size = std::abs(number);
  if (error != std::errc{} || end != text.data() + text.size() || size > kSafe ||
      (number != 0 && size < kSmallest)) {
    return std::nullopt;
  }
  std::array<char, 32> digits{};
  const auto [last, failed] = std::to_chars(digits.data(), digits.data() + digits.size(),
                                            number == 0 ? 0.0 : number, std::chars_format::fixed);
  if (failed != std::errc{}) return std::nullopt;
  return std::string(digits.data(), last);
}

bool take_declaration(json::View property, std::vector<std::string> path,
                      std::vector<ParameterHeader>& out) {
  const auto declared = property.find(kDeclaration);
  if (!declared) return true;
  const std::string_view type = property.text("type");
  const std::string name(declared->string().value_or(""));
  const bool taken = std::any_of(out.begin(), out.end(), [&](const ParameterHeader& one) {
    return ascii_lower(one.name) == ascii_lower(name);
  });
  if (taken || !is_token(name) || out.size() >= limits::kMcpHttpHeadersMax ||
      (type != "string" && type != "integer" && type != "number" && type != "boolean")) {
    return false;
  }
  out.push_back({std::move(path), name});
  return true;
}

// The properties of an object and, at any depth, of those that are objects.
bool take_properties(json::View properties, const std::vector<std::string>& path,
                     std::vector<ParameterHeader>& out) {
  bool good = true;
  properties.each_member([&](std::string_view key, json::View property) {
    std::vector<std::string> below = path;
    below.emplace_back(key);
    good = take_declaration(property, below, out);
    const auto inner = property.find("properties");
    if (good && inner) good = take_properties(*inner, below, out);
    return good;
  });
  return good;
}

std::size_t declarations_in(json::View value) {
  std::size_t count = 0;
  value.each_member([&](std::string_view key, json::View member) {
    count += (key == kDeclaration ? 1U : 0U) + declarations_in(member);
    return true;
  });
  if (!value.is_array()) return count;
  value.each_element([&](json::View element) {
    count += declarations_in(element);
    return true;
  });
  return count;
}

struct NameSource {
  std::string_view method, member;
};
constexpr std::array kNameSources{
    NameSource{"tools/call", "name"},     NameSource{"prompts/get", "name"},
    NameSource{"resources/read", "uri"},  NameSource{"tasks/get", "taskId"},
    NameSource{"tasks/update", "taskId"}, NameSource{"tasks/cancel", "taskId"},
};

}  // namespace

Result<std::vector<std::string>> read_headers(const std::vector<std::string>& options,
                                              const Variable& variable) {
  std::vector<std::string> out;
  const auto take = [&](std::string_view text) -> Result<void> {
    auto header = read_header(text, variable);
    if (!header) return pass_error(header);
    if (out.size() >= limits::kMcpHttpHeadersMax) {
      return fail(ErrorCode::kLimitExceeded,
                  "more than " + std::to_string(limits::kMcpHttpHeadersMax) + " headers");
    }
    out.push_back(std::move(*header));
    return {};
  };
  for (const std::string& option : options) {
    if (!option.starts_with('@')) {
      if (auto taken = take(option); !taken) return pass_error(taken);
      continue;
    }
    const std::string path = option.substr(1);
    const auto text = read_file(path, limits::kMcpHttpHeaderBytesMax);
    if (!text) return fail(text.error().code, "--header @FILE: " + text.error().message);
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
      if (auto taken = take(line); !taken) {
        return fail(taken.error().code, printable(path) + ": " + taken.error().message);
      }
    }
  }
  return out;
}

std::vector<ParameterHeader> declared_headers(json::View input_schema) {
  std::vector<ParameterHeader> out;
  const auto properties = input_schema.find("properties");
  // Anywhere but on a property a declaration makes the schema invalid, and so the count tells.
  const bool good = (!properties || take_properties(*properties, {}, out)) &&
                    declarations_in(input_schema) == out.size();
  return good ? out : std::vector<ParameterHeader>();
}

std::vector<std::string> parameter_headers(const std::vector<ParameterHeader>& declared,
                                           json::View arguments) {
  std::vector<std::string> out;
  for (const ParameterHeader& header : declared) {
    std::optional<json::View> value = arguments;
    for (const std::string& key : header.path) {
      if (value) value = value->find(key);
    }
    const auto text = value ? plain_text(*value) : std::nullopt;
    if (text) out.push_back("Mcp-Param-" + header.name + ": " + encoded(*text));
  }
  return out;
}

std::string stated_version(const Message& message) {
  if (!message.params) return {};
  const auto meta = message.params->find("_meta");
  return meta ? std::string(meta->text(kMetaVersion)) : std::string();
}

std::vector<std::string> standard_headers(const Message& message) {
  std::vector<std::string> out;
  if (message.method.empty()) return out;
  out.push_back("Mcp-Method: " + encoded(message.method));
  for (const NameSource& source : kNameSources) {
    if (source.method != message.method || !message.params) continue;
    const auto name = message.params->find(source.member);
    if (name && name->string()) out.push_back("Mcp-Name: " + encoded(*name->string()));
  }
  return out;
}

}  // namespace lilith::enforcer::mcp
