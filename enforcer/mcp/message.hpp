#pragma once
// One line of MCP's stdio transport: newline-delimited JSON-RPC 2.0
// (modelcontextprotocol.io/specification, Transports, 2024-11-05 to 2026-07-28; arrays of messages
// are of 2025-03-26). What two readers could read differently is refused here.

#include "audit/base/result.hpp"
#include "audit/json/reader.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::mcp {

// JSON-RPC 2.0, section 5.1.
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
// In the range that the protocol leaves to implementations; -32000 to -32002 have meanings in SDKs.
inline constexpr int kDeniedByPolicy = -32010;

enum class MessageKind { kRequest, kNotification, kResponse };

struct Message {
  MessageKind kind = MessageKind::kNotification;
  std::string_view raw;              // its bytes in the line
  std::string id;                    // as JSON text; empty for notifications
  std::string method;                // empty for responses
  std::optional<json::View> params;  // of requests and notifications
};

struct Refusal {
  int code = kInvalidRequest;
  std::string id = "null";  // JSON text of the refused message's id, where it could be read
  std::string why;
};

struct Frame {
  bool is_batch = false;
  std::vector<Message> messages;  // views into the line and the reader; empty for a blank line
};

// Owns what a frame's views point at; the next read() ends them.
class FrameReader {
 public:
  // `line` without its LF. On refusal nothing of the line may be passed on.
  [[nodiscard]] std::expected<Frame, Refusal> read(std::string_view line);

 private:
  json::Document document_;
};

// Lower case as readers fold keys that ignore case (Go's encoding/json): ASCII, and the two letters
// beyond it that fold into ASCII.
[[nodiscard]] std::string folded_key(std::string_view key);

// Answers, each a whole message without LF.
[[nodiscard]] std::string error_answer(std::string_view id, int code, std::string_view why);
// tools/call: a result that the model is shown (the specification's "tool execution error").
// `with_result_type`: the form of 2026-07-28 and later.
[[nodiscard]] std::string denied_tool_answer(std::string_view id, std::string_view why,
                                             bool with_result_type);

}  // namespace lilith::enforcer::mcp
