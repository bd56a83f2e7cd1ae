#pragma once
// Messages that come over several streams at once, as lines of one output: each whole, none within
// another. A message is held until it is whole, up to a bound; a longer one streams, and the others
// wait for its end.

#include "enforcer/mcp/envelope_scanner.hpp"

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::enforcer::mcp {

class MessageOutput {
 public:
  std::string bytes;  // to be written by the caller, who removes what is written

 private:
  friend class IncomingMessage;
  const void* owner_ = nullptr;  // whose message is out in part
  std::string waiting_;          // whole lines behind it
};

// One stream's messages, one after the other. The output must outlive it.
class IncomingMessage {
 public:
  explicit IncomingMessage(MessageOutput& output) : output_(output) {}
  IncomingMessage(const IncomingMessage&) = delete;
  IncomingMessage& operator=(const IncomingMessage&) = delete;
  ~IncomingMessage() { discard(); }

  // Call append() only when there is room; else the stream must wait.
  [[nodiscard]] bool has_room() const;
  // The message's next bytes. Line ends within it, which JSON allows between tokens, become blanks.
  void append(std::string_view bytes);

  struct Whole {
    std::string text;  // empty where it was too long to be held, or blank
    bool is_array = false, is_answer = false;
    std::optional<std::string> id;  // JSON text
  };
  // Ends the line. A blank message is none.
  [[nodiscard]] Whole finish();
  // Part of the message is out: whatever ends its stream now leaves half a line.
  [[nodiscard]] bool is_out_in_part() const { return streams_; }
  // What has come of the message is dropped. False: part of it is out, and nothing may follow it.
  bool discard();

 private:
  MessageOutput& output_;
  EnvelopeScanner scanner_;
  std::string held_;
  bool blank_ = true, streams_ = false;
};

}  // namespace lilith::enforcer::mcp
