#include "enforcer/mcp/sse_reader.hpp"

#include "audit/base/limits.hpp"

#include <algorithm>
#include <charconv>

namespace lilith::enforcer::mcp {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";
constexpr std::size_t kNameBytesMax = 8;  // no known field is longer

// What may stand in a header's value (RFC 9110 section 5.5).
bool fits_header(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7F;
  });
}

}  // namespace

// A byte order mark is no part of the first field; what only begins like one is.
void SseReader::skip_mark(std::string_view& bytes) {
  while (at_begin_ && !bytes.empty()) {
    if (bytes.front() != kMark[mark_bytes_]) {
      at_begin_ = false;
      name_.assign(kMark.substr(0, mark_bytes_));
      return;
    }
    bytes.remove_prefix(1);
    at_begin_ = ++mark_bytes_ < kMark.size();
  }
}

void SseReader::end_of_field(Handler& handler) {
  field_ = name_ == "data"    ? Field::kData
           : name_ == "event" ? Field::kEvent
           : name_ == "id"    ? Field::kId
           : name_ == "retry" ? Field::kRetry
                              : Field::kOther;
  value_.clear();
  too_long_ = false;
  if (field_ != Field::kData) return;
  if (has_data_) handler.on_data("\n");
  has_data_ = true;
}

void SseReader::value(std::string_view bytes, Handler& handler) {
  if (field_ == Field::kData) return handler.on_data(bytes);
  if (field_ == Field::kOther) return;
  if (value_.size() + bytes.size() > limits::kMcpSseValueBytesMax) {
    too_long_ = true;
    return;
  }
  value_ += bytes;
}

void SseReader::dispatch(Handler& handler) {
  last_event_id_ = id_;
  if (has_data_) handler.on_event(type_.empty() ? "message" : std::string_view(type_));
  has_data_ = false;
  type_.clear();
}

void SseReader::end_of_line(Handler& handler) {
  if (at_ == At::kField && name_.empty()) return dispatch(handler);
  if (at_ == At::kField) end_of_field(handler);  // a name without a colon has an empty value
  at_ = At::kField;
  name_.clear();
  switch (field_) {
    case Field::kEvent:
      type_ = too_long_ ? "?" : value_;
      break;
    case Field::kId:
      // An id that can't be said again: better none than one of an event before.
      id_ = too_long_ || !fits_header(value_) ? "" : value_;
      break;
    case Field::kRetry: {
      std::int64_t milliseconds = 0;
      const char* end = value_.data() + value_.size();
      const auto [rest, error] = std::from_chars(value_.data(), end, milliseconds);
      const bool digits = !value_.empty() && value_.front() != '-' && rest == end;
      if (!too_long_ && digits && error == std::errc()) {
        retry_ = std::chrono::milliseconds(milliseconds);
      }
      break;
    }
    case Field::kData:
    case Field::kOther:
      break;
  }
}

void SseReader::feed(std::string_view bytes, Handler& handler) {
  skip_mark(bytes);
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = bytes.find_first_of(at_ == At::kField ? ":\r\n" : "\r\n");
    std::string_view piece = bytes.substr(0, end);
    if (at_ == At::kField) {
      // One byte more than the longest name is enough to be none of them.
      name_ += piece.substr(0, kNameBytesMax - std::min(kNameBytesMax, name_.size()));
    } else {
      if (at_ == At::kAfterColon && !piece.empty()) {
        if (piece.front() == ' ') piece.remove_prefix(1);
        at_ = At::kValue;
      }
      if (!piece.empty()) value(piece, handler);
    }
    if (end == std::string_view::npos) return;
    const char stop = bytes[end];
    bytes.remove_prefix(end + 1);
    if (stop == ':') {
      // A line that begins with a colon is a comment.
      end_of_field(handler);
      at_ = At::kAfterColon;
      continue;
    }
    after_cr_ = stop == '\r';
    end_of_line(handler);
  }
}

}  // namespace lilith::enforcer::mcp
