#pragma once
// text/event-stream as it comes (HTML Living Standard, section 9.2.6): an event's data is handed on
// piece by piece and never kept, so that events of any size take no memory here.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::enforcer::mcp {

class SseReader {
 public:
  class Handler {
   public:
    virtual ~Handler() = default;
    // The data of the event that is being read; lines are joined by LF.
    virtual void on_data(std::string_view bytes) = 0;
    // It is whole. `type` is "message" unless it said otherwise.
    virtual void on_event(std::string_view type) = 0;
  };
  // Bytes in pieces of any size. What a stream's end cuts off is no event.
  void feed(std::string_view bytes, Handler& handler);

  // Of the last whole event that had one; empty: none, or one that can't be sent in a header.
  [[nodiscard]] const std::string& last_event_id() const { return last_event_id_; }
  // What the server asks to wait before a reconnection; as it was said last.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const { return retry_; }

 private:
  enum class At { kField, kAfterColon, kValue };
  enum class Field { kOther, kData, kEvent, kId, kRetry };
  void skip_mark(std::string_view& bytes);
  void end_of_field(Handler& handler);
  void value(std::string_view bytes, Handler& handler);
  void end_of_line(Handler& handler);
  void dispatch(Handler& handler);

  std::size_t mark_bytes_ = 0;  // of a byte order mark at the beginning
  bool at_begin_ = true, after_cr_ = false;
  At at_ = At::kField;
  Field field_ = Field::kOther;
  std::string name_, value_;
  bool too_long_ = false;
  bool has_data_ = false;
  std::string type_, id_, last_event_id_;
  std::optional<std::chrono::milliseconds> retry_;
};

}  // namespace lilith::enforcer::mcp
