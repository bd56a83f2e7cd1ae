#pragma once
// Both directions of one MCP session as bytes in, bytes out; the processes and pipes are
// proxy.hpp's.

#include "enforcer/gate.hpp"
#include "enforcer/mcp/envelope_scanner.hpp"
#include "enforcer/mcp/message.hpp"
#include "enforcer/mcp/pins.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::mcp {

// What a tool whose description or schema changed means: nothing; an event; an event, and neither
// the model sees it nor can it be called.
enum class PinMode { kOff, kRecord, kDeny };

struct SessionOptions {
  std::string server;  // --server
  PinMode pin = PinMode::kRecord;
  std::string url;  // scheme, host and port of a server over HTTP, which was allowed at the start
};

class Session {
 public:
  Session(Gate& gate, Pins& pins, SessionOptions options)
      : gate_(gate), pins_(pins), options_(std::move(options)), policy_(gate.policy()) {}

  // Bytes as they come; lines may be in pieces.
  void from_client(std::string_view bytes);
  void from_server(std::string_view bytes);
  // A last line without LF counts: some servers would read it.
  void end_of_client();
  // The client has said nothing for a while.
  void idle() const { gate_.let_go_of_log(); }

  // To be written by the caller, who removes what is written.
  std::string to_server, to_client;
  std::string complaints;  // for standard error, whole lines

  // The client is ahead of its answers: don't read from it now.
  [[nodiscard]] bool congested() const;
  // The session must end: the server tried to slip in a list of tools unseen, and the line was not
  // ended; or a changed policy does not allow the server's host any more.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  void client_line(std::string_view line, bool ended);
  [[nodiscard]] bool still_allows_server();
  void refused(const Refusal& refusal, std::string_view line, bool ended);
  // The answer for the client, or nullopt when the message may pass.
  struct Denial {
    bool denied = false;
    std::string answer;  // empty for notifications
  };
  [[nodiscard]] Denial decide(const Message& message);
  [[nodiscard]] Denial decide_tool_call(const Message& message);
  [[nodiscard]] Denial decide_resource(const Message& message);
  [[nodiscard]] Denial malformed(const Message& message, std::string_view why);
  [[nodiscard]] GateCall gate_call(const Message& message, std::string tool) const;
  void note_client(const Message& message);
  void answer(std::string line);

  void end_of_server_line();
  void hold(std::string_view piece);
  void inspect_held();
  // The message as the client may have it; nullopt: not at all.
  [[nodiscard]] std::optional<std::string> inspected(json::View message, std::string_view raw);
  [[nodiscard]] std::string without_changed_tools(json::View tools, std::string_view raw);
  [[nodiscard]] bool is_withheld(const Pins::Finding& finding);
  void record_first_seen(const std::vector<std::string>& tools);
  void complain(std::string_view what);

  Gate& gate_;
  Pins& pins_;
  SessionOptions options_;

  std::shared_ptr<const rules::Policy> policy_;  // under which the server's host was allowed
  FrameReader reader_;
  std::string client_line_;
  bool client_line_too_long_ = false;
  EnvelopeScanner client_scanner_;
  std::string client_name_;
  bool with_result_type_ = false;

  enum class ServerLine { kNone, kPassing, kHolding, kDropping };
  ServerLine server_line_ = ServerLine::kNone;
  EnvelopeScanner server_scanner_;
  std::string held_;
  std::vector<std::string> waiting_answers_;  // until the server's line ends
  std::size_t waiting_bytes_ = 0;
  std::set<std::string, std::less<>> lists_pending_;  // ids of tools/list
  std::map<std::string, std::string, std::less<>> reported_;
  bool broken_ = false;
};

}  // namespace lilith::enforcer::mcp
