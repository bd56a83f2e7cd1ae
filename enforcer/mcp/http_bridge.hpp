#pragma once
// MCP's Streamable HTTP transport (versions 2025-03-26 to 2026-07-28), and HTTP+SSE (2024-11-05)
// where the server has no other, spoken to a server, and lines of JSON-RPC with whoever holds the
// other end: it decides nothing. Sessions, resumption and the stream of the server's own messages
// are here; connections are http_client.hpp's.

#include "audit/base/clock.hpp"
#include "enforcer/mcp/http_client.hpp"
#include "enforcer/mcp/http_headers.hpp"
#include "enforcer/mcp/message.hpp"
#include "enforcer/mcp/message_output.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::mcp {

// In the range that the protocol leaves to implementations: the server gave no answer.
inline constexpr int kNoAnswer = -32011;

class HttpBridge {
 public:
  // `headers`: of every request, "Name: value".
  HttpBridge(HttpClient& client, std::vector<std::string> headers, const Clock& clock);
  HttpBridge(const HttpBridge&) = delete;
  HttpBridge& operator=(const HttpBridge&) = delete;
  ~HttpBridge();

  // Bytes as they come; lines may be in pieces.
  void from_client(std::string_view bytes);
  // What was said is still answered; then the session is ended.
  void end_of_client();
  // The session is ended without waiting for answers.
  void end_now();

  // Starts what is due. Call after every wait() and every input.
  void pump();
  // When pump() has something to do although nothing happened; max(): never.
  [[nodiscard]] MonotonicTime next_due() const;

  [[nodiscard]] std::string& to_client() { return output_.bytes; }
  std::string complaints;  // for standard error, whole lines
  // The client is ahead of the server: don't read from it now.
  [[nodiscard]] bool congested() const;
  [[nodiscard]] bool done() const;
  // Part of a message is with the client and the rest will not come; or the session can't go on.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  class Exchange;
  friend class Exchange;
  enum class Purpose { kRequest, kNotice, kInitialize, kRenew, kListen, kResume, kSse, kGoodbye };
  // HTTP+SSE has one stream for all that the server says; its first event says where messages go.
  enum class Transport { kStreamable, kSseAsked, kSse };
  // A line of the client (or of ours) on its way.
  struct Outgoing {
    Purpose purpose = Purpose::kRequest;
    std::string line;
    std::vector<std::string> ids;      // of the requests in it, as JSON text
    std::vector<std::string> headers;  // that follow from it
    std::string version;               // that it states for itself
    bool opens_stream = false;         // notifications/initialized
    bool lists_tools = false;          // tools/list of a version that has headers for parameters
    std::string cancels;               // the id that notifications/cancelled names, as JSON text
    bool by_sse = false;               // sent to the endpoint of HTTP+SSE: no answer comes with it
    bool again = false;                // a session that had ended was begun anew for it
  };
  // A stream to be taken up again.
  struct Resumption {
    MonotonicTime due;
    Purpose purpose = Purpose::kResume;
    std::vector<std::string> ids;
    std::string last_event_id;
    int failures = 0;
  };

  void line(std::string_view text);
  [[nodiscard]] Outgoing outgoing(std::string_view text) const;
  void send(Outgoing message);
  void open_stream(Purpose purpose, std::vector<std::string> ids, std::string last_event_id,
                   int failures);
  void begin(std::unique_ptr<Exchange> exchange, HttpRequest request);
  [[nodiscard]] std::vector<std::string> session_headers(const std::string& version) const;
  [[nodiscard]] bool may_send() const;
  [[nodiscard]] std::size_t requests_open() const;
  [[nodiscard]] bool is_busy() const;
  void end_idle_streams();
  [[nodiscard]] bool awaits_nothing() const;

  // HTTP+SSE.
  void ask_for_endpoint(std::string why);
  void take_endpoint(const std::string& reference);
  void has_no_endpoint(std::string_view why);
  void heard_by_sse(const IncomingMessage::Whole& message);
  void sse_ended(const Exchange& exchange, const std::string& error);
  void sse_message_failed(const Exchange& exchange, std::string_view why);
  void say_goodbye();

  // What an exchange tells.
  void learn_tools(const std::string& answer);
  void heard(Exchange& exchange, const IncomingMessage::Whole& message);
  void ended(Exchange& exchange, const std::string& error);
  void message_ended(Exchange& exchange, const std::string& error);
  void stream_ended(Exchange& exchange, const std::string& error);
  void session_expired(Exchange& exchange);
  void no_answer(const std::vector<std::string>& ids, std::string_view why);
  void complain(std::string_view what);
  void give_up(std::string_view why);

  HttpClient& client_;
  std::vector<std::string> headers_;
  const Clock& clock_;
  MessageOutput output_;
  std::string input_;
  std::deque<Outgoing> queue_;
  std::size_t queue_bytes_ = 0;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<Resumption> resumptions_;
  std::string initialize_line_;  // kept to begin a session again
  std::string session_id_, version_;
  std::map<std::string, std::vector<ParameterHeader>, std::less<>> tool_headers_;  // by tool
  Transport transport_ = Transport::kStreamable;
  std::string refusal_;                  // of the handshake, while it is asked for HTTP+SSE
  MonotonicTime endpoint_due_;           // kSseAsked: until then
  bool endpoint_refused_ = false;        // kSseAsked: the stream named one that is not to be used
  std::string endpoint_;                 // kSse: where messages go
  std::vector<std::string> sse_awaits_;  // kSse: ids of requests whose answers are to come
  bool closing_ = false, goodbye_said_ = false, broken_ = false;
};

}  // namespace lilith::enforcer::mcp
