#include "enforcer/mcp/http_bridge.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "enforcer/mcp/sse_reader.hpp"

#include <algorithm>
#include <utility>

namespace lilith::enforcer::mcp {
namespace {

using std::chrono::milliseconds;

// The first version without handshake, session and stream of the server's own.
constexpr std::string_view kStatelessVersion = "2026-07-28";
constexpr std::size_t kErrorBodyBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kWhyBytesMax = 300;
constexpr std::string_view kInitialized =
    R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

// One spelling for one id.
std::string plain_id(const std::string& id) {
  json::Document document;
  const auto value = document.parse(id);
  return value ? value->to_json() : id;
}

bool is_session_id(std::string_view text) {
  return text.size() <= limits::kMcpHttpSessionIdBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

milliseconds delay_after(int failures, std::optional<milliseconds> asked) {
  milliseconds delay = asked.value_or(limits::kMcpHttpRetryDefault);
  for (int i = 1; i < failures && delay < limits::kMcpHttpRetryMax; ++i) delay *= 2;
  return std::clamp(delay, limits::kMcpHttpRetryMin, limits::kMcpHttpRetryMax);
}

}  // namespace

// One request to the server and what comes back.
class HttpBridge::Exchange final : public HttpExchange, private SseReader::Handler {
 public:
  Exchange(HttpBridge& bridge, Outgoing message)
      : said(std::move(message)), bridge_(bridge), message_(bridge.output_) {}

  void on_head(const HttpHead& head) override {
    head_ = head;
    const bool good = head.status >= 200 && head.status < 300;
    if (good && said.by_sse) {
      body_ = Body::kIgnored;
    } else if (good && head.content_type == "text/event-stream") {
      body_ = Body::kEvents;
    } else if (good && head.content_type == "application/json" && !said.ids.empty()) {
      body_ = Body::kMessage;
    } else {
      body_ = good ? Body::kIgnored : Body::kError;
    }
  }
  [[nodiscard]] bool has_room() const override { return message_.has_room(); }
  void on_bytes(std::string_view bytes) override {
    switch (body_) {
      case Body::kEvents:
        events_.feed(bytes, *this);
        break;
      case Body::kMessage:
        append(bytes);
        break;
      case Body::kError:
        if (error_body_.size() < kErrorBodyBytesMax) error_body_ += bytes;
        break;
      case Body::kIgnored:
        break;
    }
  }
  void on_end(const std::string& error) override { bridge_.ended(*this, error); }

  // A body that is one message is whole.
  void finish() { whole(); }
  [[nodiscard]] bool discard() { return message_.discard(); }
  [[nodiscard]] bool is_out_in_part() const { return message_.is_out_in_part(); }
  void forget(const std::string& id) { std::erase(said.ids, id); }
  [[nodiscard]] const HttpHead& head() const { return head_; }
  [[nodiscard]] const SseReader& events() const { return events_; }
  [[nodiscard]] const std::string& error_body() const { return error_body_; }
  [[nodiscard]] bool is_stream() const { return body_ == Body::kEvents; }
  [[nodiscard]] bool is_message() const { return body_ == Body::kMessage; }

  Outgoing said;           // ids: those that are not answered yet
  std::string session_id;  // with which it was sent
  int failures = 0;        // of the stream that it takes up again

 private:
  enum class Body { kIgnored, kMessage, kEvents, kError };
  // The answer to a handshake of our own, and where messages go, are read and not passed on.
  [[nodiscard]] bool is_private() const {
    return said.purpose == Purpose::kRenew ||
           (said.purpose == Purpose::kSse && bridge_.transport_ == Transport::kSseAsked);
  }
  void append(std::string_view bytes) {
    if (!is_private()) return message_.append(bytes);
    if (private_.size() <= limits::kMcpHttpHeldBytesMax) private_ += bytes;
  }
  void whole() {
    if (said.purpose != Purpose::kRenew) return bridge_.heard(*this, message_.finish());
    IncomingMessage::Whole message;
    message.text = std::exchange(private_, {});
    message.is_answer = true;
    bridge_.heard(*this, message);
  }
  void on_data(std::string_view bytes) override { append(bytes); }
  void on_event(std::string_view type) override {
    if (said.purpose == Purpose::kSse && is_private()) {
      const std::string reference = std::exchange(private_, {});
      if (type == "endpoint") bridge_.take_endpoint(reference);
      return;
    }
    if (type == "message") return whole();
    private_.clear();
    if (!message_.discard()) bridge_.give_up("an event of the server changed its type");
  }

  HttpBridge& bridge_;
  HttpHead head_;
  Body body_ = Body::kIgnored;
  SseReader events_;
  IncomingMessage message_;
  std::string private_, error_body_;
};

HttpBridge::HttpBridge(HttpClient& client, std::vector<std::string> headers, const Clock& clock)
    : client_(client), headers_(std::move(headers)), clock_(clock) {}

HttpBridge::~HttpBridge() {
  for (const auto& one : exchanges_) client_.cancel(*one);
}

void HttpBridge::complain(std::string_view what) {
  complaints += "lilith mcp: " + printable(utf8_prefix(what, kWhyBytesMax * 2)) + "\n";
}

void HttpBridge::give_up(std::string_view why) {
  complain(why);
  broken_ = true;
}

void HttpBridge::no_answer(const std::vector<std::string>& ids, std::string_view why) {
  IncomingMessage answer(output_);
  for (const std::string& id : ids) {
    answer.append(error_answer(id, kNoAnswer, "lilith: " + printable(utf8_prefix(why, 2048))));
    std::ignore = answer.finish();
  }
}

// ---- from the client

void HttpBridge::from_client(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    input_ += bytes.substr(0, end);
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    line(std::exchange(input_, {}));
  }
  // Whoever stands before us refuses lines that are longer.
  if (input_.size() > 2 * limits::kMcpFrameBytesMax) give_up("a message of the client has no end");
}

void HttpBridge::end_of_client() {
  if (!input_.empty()) line(std::exchange(input_, {}));
  closing_ = true;
  std::erase_if(resumptions_, [](const auto& one) { return one.purpose == Purpose::kListen; });
}

// Streams on which no answer is awaited any more.
void HttpBridge::end_idle_streams() {
  std::erase_if(exchanges_, [this](const auto& one) {
    if (one->is_out_in_part()) return false;  // its message is heard to the end
    const Purpose purpose = one->said.purpose;
    const bool idle = purpose == Purpose::kSse      ? awaits_nothing()
                      : purpose == Purpose::kListen ? true
                                                    : one->is_stream() && one->said.ids.empty();
    if (!idle) return false;
    client_.cancel(*one);
    return true;
  });
}

// Of an HTTP+SSE server: all is said, and answered.
bool HttpBridge::awaits_nothing() const {
  return queue_.empty() && sse_awaits_.empty() &&
         std::none_of(exchanges_.begin(), exchanges_.end(), [](const auto& one) {
           return one->said.purpose != Purpose::kSse && one->said.purpose != Purpose::kListen;
         });
}

void HttpBridge::end_now() {
  end_of_client();
  queue_.clear();
  queue_bytes_ = 0;
  resumptions_.clear();
  for (const auto& one : exchanges_) client_.cancel(*one);
  exchanges_.clear();
}

HttpBridge::Outgoing HttpBridge::outgoing(std::string_view text) const {
  Outgoing out;
  out.line = text;
  FrameReader reader;
  const auto frame = reader.read(text);
  // A policy that only records passes on what is no message: its answer is the server's affair.
  if (!frame) return out;
  out.purpose = Purpose::kNotice;
  for (const Message& message : frame->messages) {
    if (message.kind == MessageKind::kRequest) {
      out.ids.push_back(plain_id(message.id));
      out.purpose = Purpose::kRequest;
    }
    if (frame->is_batch) continue;
    out.version = stated_version(message);
    if (message.method == "initialize") out.purpose = Purpose::kInitialize;
    out.opens_stream = message.method == "notifications/initialized";
    if (message.method == "notifications/cancelled" && message.params) {
      const auto id = message.params->find("requestId");
      if (id) out.cancels = id->to_json();
    }
    const std::string& version = out.version.empty() ? version_ : out.version;
    if (version < kStatelessVersion) continue;
    out.headers = standard_headers(message);
    out.lists_tools = message.method == "tools/list";
    if (message.method != "tools/call" || !message.params) continue;
    const auto tool = tool_headers_.find(message.params->text("name"));
    const auto arguments = message.params->find("arguments");
    if (tool == tool_headers_.end() || !arguments) continue;
    for (std::string& header : parameter_headers(tool->second, *arguments)) {
      out.headers.push_back(std::move(header));
    }
  }
  return out;
}

void HttpBridge::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.find_first_not_of(" \t") == std::string_view::npos) return;
  Outgoing message = outgoing(text);
  if (!message.ids.empty() && requests_open() >= limits::kMcpHttpRequestsMax) {
    return no_answer(message.ids, "too many requests wait for an answer of the server");
  }
  queue_bytes_ += message.line.size();
  queue_.push_back(std::move(message));
}

std::size_t HttpBridge::requests_open() const {
  const auto of = [](const auto& one) { return !one.ids.empty(); };
  return sse_awaits_.size() +
         static_cast<std::size_t>(
             std::count_if(queue_.begin(), queue_.end(), of) +
             std::count_if(resumptions_.begin(), resumptions_.end(), of) +
             std::count_if(exchanges_.begin(), exchanges_.end(), [](const auto& one) {
               return !one->said.ids.empty() && !one->said.by_sse;
             }));
}

bool HttpBridge::congested() const {
  return queue_bytes_ > limits::kMcpQueueBytesMax ||
         queue_.size() > limits::kMcpHttpRequestsMax * 2;
}

// ---- to the server

std::vector<std::string> HttpBridge::session_headers(const std::string& version) const {
  std::vector<std::string> out = headers_;
  if (!session_id_.empty()) out.push_back("Mcp-Session-Id: " + session_id_);
  const std::string& stated = version.empty() ? version_ : version;
  if (!stated.empty()) out.push_back("MCP-Protocol-Version: " + stated);
  return out;
}

void HttpBridge::begin(std::unique_ptr<Exchange> exchange, HttpRequest request) {
  exchange->session_id = session_id_;
  exchanges_.push_back(std::move(exchange));
  client_.start(std::move(request), *exchanges_.back());
}

// The order in which the client spoke is kept where the server can't mistake it: behind a handshake
// and behind what is only acknowledged, the next message waits.
bool HttpBridge::may_send() const {
  if (transport_ == Transport::kSseAsked) return false;
  return !queue_.empty() && std::none_of(exchanges_.begin(), exchanges_.end(), [](const auto& one) {
    const Purpose purpose = one->said.purpose;
    if (purpose == Purpose::kNotice) return one->head().status == 0;
    return purpose == Purpose::kInitialize || purpose == Purpose::kRenew;
  });
}

void HttpBridge::send(Outgoing message) {
  HttpRequest request;
  request.headers = session_headers(message.version);
  request.headers.emplace_back("Content-Type: application/json");
  request.headers.emplace_back("Accept: application/json, text/event-stream");
  for (std::string& header : message.headers) request.headers.push_back(std::move(header));
  if (transport_ == Transport::kSse) {
    request.url = endpoint_;
    message.by_sse = true;
    sse_awaits_.insert(sse_awaits_.end(), message.ids.begin(), message.ids.end());
    std::erase(sse_awaits_, message.cancels);  // whose answer need not come
  }
  if (message.purpose == Purpose::kNotice) request.deadline = limits::kMcpHttpNoticeDeadline;
  // Kept where it may have to be sent again.
  if (!session_id_.empty() && !message.again) {
    request.body = message.line;
  } else {
    request.body = std::move(message.line);
    message.line.clear();
  }
  begin(std::make_unique<Exchange>(*this, std::move(message)), std::move(request));
}

void HttpBridge::open_stream(Purpose purpose, std::vector<std::string> ids,
                             std::string last_event_id, int failures) {
  HttpRequest request;
  request.method = HttpMethod::kGet;
  request.headers = session_headers({});
  request.headers.emplace_back("Accept: text/event-stream");
  if (!last_event_id.empty()) request.headers.push_back("Last-Event-ID: " + last_event_id);
  Outgoing said;
  said.purpose = purpose;
  said.ids = std::move(ids);
  said.line = std::move(last_event_id);  // to ask again from there when nothing new comes
  auto exchange = std::make_unique<Exchange>(*this, std::move(said));
  exchange->failures = failures;
  begin(std::move(exchange), std::move(request));
}

void HttpBridge::say_goodbye() {
  goodbye_said_ = true;
  if (session_id_.empty()) return;
  HttpRequest request;
  request.method = HttpMethod::kDelete;
  request.headers = session_headers({});
  request.deadline = limits::kMcpHttpGoodbyeDeadline;
  Outgoing said;
  said.purpose = Purpose::kGoodbye;
  begin(std::make_unique<Exchange>(*this, std::move(said)), std::move(request));
}

bool HttpBridge::is_busy() const {
  return !queue_.empty() || !exchanges_.empty() || !resumptions_.empty();
}

void HttpBridge::pump() {
  const MonotonicTime now = clock_.monotonic();
  if (transport_ == Transport::kSseAsked && endpoint_due_ <= now) {
    std::erase_if(exchanges_, [this](const auto& one) {
      if (one->said.purpose != Purpose::kSse) return false;
      client_.cancel(*one);
      return true;
    });
    has_no_endpoint("its stream does not say where messages go");
  }
  while (may_send()) {
    Outgoing message = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= message.line.size();
    if (message.purpose == Purpose::kInitialize && transport_ == Transport::kStreamable) {
      session_id_.clear();
      version_.clear();
      const bool keeps = message.line.size() <= limits::kMcpHttpHeldBytesMax;
      initialize_line_ = keeps ? message.line : std::string();
    }
    send(std::move(message));
  }
  std::vector<Resumption> due;
  std::erase_if(resumptions_, [&](Resumption& one) {
    if (one.due > now) return false;
    due.push_back(std::move(one));
    return true;
  });
  for (Resumption& one : due) {
    open_stream(one.purpose, std::move(one.ids), std::move(one.last_event_id), one.failures);
  }
  if (closing_) end_idle_streams();
  if (closing_ && !goodbye_said_ && !is_busy()) say_goodbye();
}

MonotonicTime HttpBridge::next_due() const {
  MonotonicTime next = transport_ == Transport::kSseAsked ? endpoint_due_ : MonotonicTime::max();
  for (const Resumption& one : resumptions_) next = std::min(next, one.due);
  return next;
}

bool HttpBridge::done() const { return closing_ && goodbye_said_ && !is_busy(); }

// ---- from the server

// Which headers the tools of a list ask for. A list too long to be held teaches nothing.
void HttpBridge::learn_tools(const std::string& answer) {
  json::Document document;
  const auto root = document.parse(answer);
  const auto result = root ? root->find("result") : std::nullopt;
  const auto tools = result ? result->find("tools") : std::nullopt;
  if (!tools) return;
  tools->each_element([&](json::View tool) {
    const std::string_view name = tool.text("name");
    const auto schema = tool.find("inputSchema");
    auto declared = schema ? declared_headers(*schema) : std::vector<ParameterHeader>();
    if (declared.empty()) {
      tool_headers_.erase(std::string(name));
    } else if (tool_headers_.contains(name) || tool_headers_.size() < limits::kMcpPinsMax) {
      tool_headers_.insert_or_assign(std::string(name), std::move(declared));
    }
    return true;
  });
}

void HttpBridge::heard(Exchange& exchange, const IncomingMessage::Whole& message) {
  if (message.is_array) exchange.said.ids.clear();
  if (exchange.said.purpose == Purpose::kSse) return heard_by_sse(message);
  if (!message.is_answer) return;
  if (exchange.said.lists_tools) learn_tools(message.text);
  if (message.id) exchange.forget(plain_id(*message.id));
  const Purpose purpose = exchange.said.purpose;
  if (purpose != Purpose::kInitialize && purpose != Purpose::kRenew) return;
  if (purpose == Purpose::kInitialize && !exchange.said.ids.empty()) return;
  if (message.text.empty()) return give_up("the server's answer to the handshake is too long");
  json::Document document;
  const auto root = document.parse(message.text);
  const auto result = root ? root->find("result") : std::nullopt;
  if (!result) return;  // the server refuses the handshake, and the client is told
  const std::string version(result->text("protocolVersion"));
  if (purpose == Purpose::kRenew) {
    exchange.said.ids.clear();
    if (version != version_) return give_up("the server's new session speaks another version");
  }
  const std::string& id = exchange.head().session_id;
  if (!is_session_id(id) || !is_session_id(version)) {
    return give_up("the server's session id or version can't be sent in a header");
  }
  session_id_ = id;
  version_ = version;
}

void HttpBridge::ended(Exchange& exchange, const std::string& error) {
  const auto at = std::find_if(exchanges_.begin(), exchanges_.end(),
                               [&](const auto& one) { return one.get() == &exchange; });
  const std::unique_ptr<Exchange> owner = std::move(*at);
  exchanges_.erase(at);
  if (broken_ || exchange.said.purpose == Purpose::kGoodbye) return;
  const bool whole = exchange.is_message() && error.empty();
  if (whole) exchange.finish();
  if (!exchange.discard()) return give_up("the server broke off within a message: " + error);
  if (broken_) return;
  const Purpose purpose = exchange.said.purpose;
  if (purpose == Purpose::kSse) return sse_ended(exchange, error);
  if (purpose == Purpose::kListen || purpose == Purpose::kResume || exchange.is_stream()) {
    return stream_ended(exchange, error);
  }
  message_ended(exchange, error);
}

void HttpBridge::message_ended(Exchange& exchange, const std::string& error) {
  const HttpHead& head = exchange.head();
  const std::vector<std::string>& ids = exchange.said.ids;
  const bool good = head.status >= 200 && head.status < 300;
  const bool renews = exchange.said.purpose == Purpose::kRenew;
  if (good && exchange.said.by_sse) return;  // taken, whatever became of the acknowledgement
  if (good && error.empty() && !(renews && !ids.empty())) {
    no_answer(ids, "the server took the request and gave no answer");
    if (exchange.said.opens_stream && version_ < kStatelessVersion && !closing_) {
      open_stream(Purpose::kListen, {}, {}, 0);
    }
    return;
  }
  if (head.status == 404 && !exchange.session_id.empty()) return session_expired(exchange);
  std::string why;
  if (head.status == 0 || good) {
    why = "the server could not be asked: " + (error.empty() ? "its answer is none" : error);
  } else if (head.status < 400) {
    why = "the server redirects to " + head.location + ", which --url does not name";
  } else {
    why = "the server answered with HTTP status " + std::to_string(head.status);
    if (!head.www_authenticate.empty()) why += " (it asks for " + head.www_authenticate + ")";
    json::Document document;
    const auto root = document.parse(exchange.error_body());
    const auto own = root ? root->find("error") : std::nullopt;
    const bool is_json_rpc = own && own->is_object();
    if (is_json_rpc) {
      // JSON-RPC's own error, where the server says to which request it belongs.
      const auto id = root->find("id");
      if (id && ids.size() == 1 && id->to_json() == ids.front()) {
        // The stream may have answered already.
        const bool is_awaited = !exchange.said.by_sse || std::erase(sse_awaits_, ids.front()) > 0;
        if (!is_awaited) return;
        IncomingMessage answer(output_);
        answer.append(exchange.error_body());
        std::ignore = answer.finish();
        return;
      }
      why += ": " + std::string(own->text("message"));
    } else if (!exchange.error_body().empty()) {
      why += ": " + std::string(utf8_prefix(exchange.error_body(), kWhyBytesMax));
    }
    // How a client finds out (2025-03-26 and later, "Backwards Compatibility").
    const bool may_be_older = head.status == 400 || head.status == 404 || head.status == 405;
    if (may_be_older && exchange.said.purpose == Purpose::kInitialize &&
        transport_ == Transport::kStreamable && !initialize_line_.empty() && !is_json_rpc) {
      return ask_for_endpoint(std::move(why));
    }
  }
  if (exchange.said.by_sse) return sse_message_failed(exchange, why);
  if (renews) {
    return give_up("the session has ended and can't be begun again: " + why);
  }
  if (ids.empty()) return complain(why);
  no_answer(ids, why);
}

// An answer may come on another stream than the one on which it was asked for, as long as that one
// has said where it stood.
void HttpBridge::stream_ended(Exchange& exchange, const std::string& error) {
  const Purpose purpose = exchange.said.purpose;
  const bool listens = purpose == Purpose::kListen;
  const HttpHead& head = exchange.head();
  const std::vector<std::string>& ids = exchange.said.ids;
  if (!listens && ids.empty()) return;
  if (listens && closing_) return;
  if (purpose == Purpose::kRenew) return give_up("the server gave no new session");
  std::string last = exchange.events().last_event_id();
  if (last.empty() && (listens || purpose == Purpose::kResume)) last = exchange.said.line;
  const bool refused = !exchange.is_stream() && head.status != 0 && head.status < 500;
  const int failures = exchange.is_stream() ? 0 : exchange.failures + 1;
  if (listens && refused) {
    // 405: the server has no such stream. Others: the next message finds out what it is.
    if (head.status != 405)
      complain("the server's own messages are not to be had: HTTP status " +
               std::to_string(head.status));
    return;
  }
  if (!listens && (last.empty() || refused || failures > limits::kMcpHttpResumesMax)) {
    std::string why = "the server's stream ended before the answer";
    if (refused) why += ", and taking it up again got HTTP status " + std::to_string(head.status);
    if (!error.empty()) why += ": " + error;
    return no_answer(ids, why);
  }
  // A listening stream that is never of use is asked for more and more seldom.
  const bool idle = listens && exchange.events().last_event_id().empty();
  const int waits = idle ? exchange.failures + 1 : failures;
  resumptions_.push_back({clock_.monotonic() + delay_after(waits, exchange.events().retry()),
                          listens ? Purpose::kListen : Purpose::kResume, ids, std::move(last),
                          idle ? waits : failures});
}

// ---- HTTP+SSE (2024-11-05, "HTTP with SSE")

void HttpBridge::ask_for_endpoint(std::string why) {
  transport_ = Transport::kSseAsked;
  refusal_ = std::move(why);
  endpoint_refused_ = false;
  endpoint_due_ = clock_.monotonic() + limits::kMcpSseEndpointDeadline;
  Outgoing initialize = outgoing(initialize_line_);
  queue_bytes_ += initialize.line.size();
  queue_.push_front(std::move(initialize));
  open_stream(Purpose::kSse, {}, {}, 0);
}

void HttpBridge::take_endpoint(const std::string& reference) {
  if (endpoint_refused_) return;  // the first one counts
  auto url = reference.size() > limits::kMcpSseEndpointBytesMax
                 ? fail(ErrorCode::kInvalidInput, "it is too long")
                 : client_.sibling(reference);
  if (!url) {
    complain("where the server's stream says that messages go is refused: " + url.error().message);
    endpoint_refused_ = true;
    endpoint_due_ = clock_.monotonic();
    return;
  }
  endpoint_ = std::move(*url);
  transport_ = Transport::kSse;
}

// What the server said to the handshake stands.
void HttpBridge::has_no_endpoint(std::string_view why) {
  transport_ = Transport::kStreamable;
  if (queue_.empty()) return;
  const Outgoing initialize = std::move(queue_.front());
  queue_.pop_front();
  queue_bytes_ -= initialize.line.size();
  no_answer(initialize.ids, refusal_ + "; HTTP+SSE: " + std::string(why));
}

void HttpBridge::heard_by_sse(const IncomingMessage::Whole& message) {
  if (!message.is_array) {
    if (message.is_answer && message.id) std::erase(sse_awaits_, plain_id(*message.id));
    return;
  }
  // Of a batch that was too long to be held it can't be told what it answers.
  if (message.text.empty()) return sse_awaits_.clear();
  json::Document document;
  const auto batch = document.parse(message.text);
  if (!batch) return;
  batch->each_element([this](json::View one) {
    const auto id = one.find("id");
    if (id && (one.find("result") || one.find("error"))) std::erase(sse_awaits_, id->to_json());
    return true;
  });
}

void HttpBridge::sse_ended(const Exchange& exchange, const std::string& error) {
  if (transport_ == Transport::kSseAsked) {
    if (exchange.is_stream()) return has_no_endpoint("its stream ended at once");
    const int status = exchange.head().status;
    return has_no_endpoint(status == 0 ? error : "HTTP status " + std::to_string(status));
  }
  if (closing_ && queue_.empty() && sse_awaits_.empty()) return;
  for (const Outgoing& message : queue_) {
    sse_awaits_.insert(sse_awaits_.end(), message.ids.begin(), message.ids.end());
  }
  no_answer(std::exchange(sse_awaits_, {}), "the server's stream ended before the answer");
  // A new stream is a new session, of which neither side knows anything.
  give_up("the server's stream ended, and the session with it" +
          (error.empty() ? std::string() : ": " + error));
}

void HttpBridge::sse_message_failed(const Exchange& exchange, std::string_view why) {
  std::vector<std::string> unanswered;
  for (const std::string& id : exchange.said.ids) {
    if (std::erase(sse_awaits_, id) > 0) unanswered.push_back(id);
  }
  if (exchange.said.ids.empty()) return complain(why);
  no_answer(unanswered, why);
}

// HTTP 404 with a session id: a client must begin a new session (2025-03-26, Session Management).
// Its own client is not to be bothered: it said all that is needed for that.
void HttpBridge::session_expired(Exchange& exchange) {
  Outgoing again = std::move(exchange.said);
  const bool renewed = exchange.session_id != session_id_;
  if (again.again || again.line.empty() || (initialize_line_.empty() && !renewed)) {
    no_answer(again.ids, "the server ended the session (HTTP status 404)");
    return;
  }
  again.again = true;
  queue_bytes_ += again.line.size();
  if (renewed) return queue_.push_back(std::move(again));
  queue_.push_front(std::move(again));
  complain("the server ended the session; a new one is begun");
  session_id_.clear();
  for (auto at = exchanges_.begin(); at != exchanges_.end();) {
    // The old session's stream; the new one gets its own.
    const bool old = (*at)->said.purpose == Purpose::kListen;
    if (old) client_.cancel(**at);
    if (old && !(*at)->discard()) return give_up("the session ended within a message");
    at = old ? exchanges_.erase(at) : at + 1;
  }
  std::erase_if(resumptions_, [](const auto& one) { return one.purpose == Purpose::kListen; });
  Outgoing initialized = outgoing(kInitialized);
  Outgoing initialize = outgoing(initialize_line_);
  initialize.purpose = Purpose::kRenew;
  initialized.again = true;  // a second 404 ends it
  queue_bytes_ += initialized.line.size() + initialize.line.size();
  queue_.push_front(std::move(initialized));
  queue_.push_front(std::move(initialize));
}

}  // namespace lilith::enforcer::mcp
