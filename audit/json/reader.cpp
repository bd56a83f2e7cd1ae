#include "audit/json/reader.hpp"

#include "audit/base/limits.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

namespace lilith::json {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// Objects of more members than this are checked for duplicates by sorting, smaller ones pair by
// pair.
constexpr std::size_t kPairwiseMembersMax = 16;

// The name of a key that an object has twice, anywhere in the value. The depth is bounded by the
// parser's limit.
std::optional<std::string> duplicate_key(element value) {
  if (simdjson::dom::array items; value.get(items) == simdjson::SUCCESS) {
    for (const element item : items) {
      if (auto found = duplicate_key(item)) return found;
    }
    return std::nullopt;
  }
  simdjson::dom::object members;
  if (value.get(members) != simdjson::SUCCESS) return std::nullopt;
  std::vector<std::string_view> keys;
  for (const auto member : members) {
    if (keys.size() < kPairwiseMembersMax &&
        std::find(keys.begin(), keys.end(), member.key) != keys.end()) {
      return std::string(member.key);
    }
    keys.push_back(member.key);
    if (auto found = duplicate_key(member.value)) return found;
  }
  if (keys.size() > kPairwiseMembersMax) {
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice != keys.end()) return std::string(*twice);
  }
  return std::nullopt;
}

}  // namespace

// A View carries simdjson's two-word element by value; the header shows only two words of the same
// size.
static_assert(sizeof(element) == 2 * sizeof(void*));
static_assert(std::is_trivially_copyable_v<element>);

namespace {
template <class Raw>
element from(const Raw& raw) {
  element value;
  std::memcpy(static_cast<void*>(&value), &raw, sizeof value);
  return value;
}
template <class Raw>
Raw to(const element& value) {
  Raw raw{};
  std::memcpy(&raw, &value, sizeof raw);
  return raw;
}
}  // namespace

Type View::type() const {
  switch (from(raw_).type()) {
    case element_type::ARRAY:
      return Type::kArray;
    case element_type::OBJECT:
      return Type::kObject;
    case element_type::INT64:
      return Type::kInteger;
    case element_type::UINT64:
      return Type::kUnsigned;
    case element_type::DOUBLE:
      return Type::kDouble;
    case element_type::STRING:
      return Type::kString;
    case element_type::BOOL:
      return Type::kBool;
    case element_type::NULL_VALUE:
      break;
  }
  return Type::kNull;
}

std::optional<View> View::find(std::string_view key) const {
  simdjson::dom::object object;
  if (from(raw_).get(object) != simdjson::SUCCESS) return std::nullopt;
  element found;
  if (object.at_key(key).get(found) != simdjson::SUCCESS) return std::nullopt;
  return View(to<Raw>(found));
}

std::optional<std::string_view> View::string() const {
  std::string_view text;
  if (from(raw_).get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

std::optional<std::int64_t> View::integer() const {
  std::int64_t number = 0;
  if (from(raw_).get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}

std::optional<bool> View::boolean() const {
  bool flag = false;
  if (from(raw_).get(flag) != simdjson::SUCCESS) return std::nullopt;
  return flag;
}

std::string_view View::text(std::string_view key) const {
  const auto member = find(key);
  return member ? member->string().value_or(std::string_view{}) : std::string_view{};
}

void View::each_member(const std::function<bool(std::string_view, View)>& visit) const {
  simdjson::dom::object object;
  if (from(raw_).get(object) != simdjson::SUCCESS) return;
  for (const auto member : object) {
    if (!visit(member.key, View(to<Raw>(member.value)))) return;
  }
}

void View::each_element(const std::function<bool(View)>& visit) const {
  simdjson::dom::array array;
  if (from(raw_).get(array) != simdjson::SUCCESS) return;
  for (const element item : array) {
    if (!visit(View(to<Raw>(item)))) return;
  }
}

std::string View::to_json() const { return simdjson::minify(from(raw_)); }

struct Document::Impl {
  simdjson::dom::parser parser;
};

Document::Document() : impl_(std::make_unique<Impl>()) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Result<View> Document::parse(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  if (impl_->parser.allocate(std::max<std::size_t>(bytes.size(), 64), limits::kJsonDepthMax) !=
      simdjson::SUCCESS) {
    return fail(ErrorCode::kLimitExceeded,
                "no memory to parse " + std::to_string(bytes.size()) + " bytes of JSON");
  }
  element root;
  const auto error = impl_->parser.parse(bytes.data(), bytes.size()).get(root);
  if (error != simdjson::SUCCESS) {
    return fail(ErrorCode::kInvalidInput,
                std::string("not JSON: ") + simdjson::error_message(error));
  }
  if (const auto twice = duplicate_key(root)) {
    return fail(ErrorCode::kInvalidInput, "the key '" + *twice + "' stands twice in one object");
  }
  return View(to<View::Raw>(root));
}

}  // namespace lilith::json
