#pragma once
// Read-only JSON documents over simdjson, which no other header shows. For the event codec's fast
// path see audit/codec.cpp.

#include "audit/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::json {

enum class Type { kNull, kBool, kInteger, kUnsigned, kDouble, kString, kArray, kObject };

// A value inside a Document; valid as long as the Document lives and parses nothing else.
class View {
 public:
  [[nodiscard]] Type type() const;
  [[nodiscard]] bool is_object() const { return type() == Type::kObject; }
  [[nodiscard]] bool is_array() const { return type() == Type::kArray; }
  [[nodiscard]] bool is_string() const { return type() == Type::kString; }

  // Member of an object; nullopt when absent or when this is no object. With duplicate keys the
  // first.
  [[nodiscard]] std::optional<View> find(std::string_view key) const;
  // The string value, or nullopt when this is no string.
  [[nodiscard]] std::optional<std::string_view> string() const;
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<bool> boolean() const;
  // find(key) and string() in one step; empty when absent or of another type.
  [[nodiscard]] std::string_view text(std::string_view key) const;

  // Visits in document order; the visitor returns false to stop.
  void each_member(const std::function<bool(std::string_view, View)>& visit) const;
  void each_element(const std::function<bool(View)>& visit) const;

  // This value as compact JSON in document order.
  [[nodiscard]] std::string to_json() const;

 private:
  friend class Document;
  struct Raw {
    const void* document;
    std::size_t index;
  };
  explicit View(Raw raw) : raw_(raw) {}
  Raw raw_;
};

// Owns a parsed text and the parser's memory; reusable, movable, one thread at a time.
class Document {
 public:
  Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  // Parses one JSON text, the whole of `bytes` (a leading UTF-8 byte order mark is skipped).
  // Refuses invalid UTF-8, nesting above limits::kJsonDepthMax, trailing text, and an object with
  // the same key twice: two readers of such an object can see two different calls.
  [[nodiscard]] Result<View> parse(std::string_view bytes);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::json
