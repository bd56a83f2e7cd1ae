#pragma once
// Several HTTP exchanges with one server at once, by libcurl, on one thread. Redirects are not
// followed, certificates are verified, and no variable of the environment has a say.

#include "audit/base/result.hpp"

#include <chrono>
#include <memory>
#include <poll.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::mcp {

struct HttpServer {
  std::string url;
  // The addresses that may be dialled, as "HOST:PORT:ADDRESS,ADDRESS"; empty: the host is an
  // address, or the proxy looks it up.
  std::string resolve;
  std::string proxy;  // URL of a forward proxy, or empty
  std::string ca;     // file of certificates to trust instead of the system's, or empty
  std::string user_agent;
};

enum class HttpMethod { kPost, kGet, kDelete };
struct HttpRequest {
  HttpMethod method = HttpMethod::kPost;
  std::string url;                        // as sibling() gave it; empty: the server's own
  std::vector<std::string> headers;       // "Name: value"
  std::string body;                       // of kPost
  std::chrono::milliseconds deadline{0};  // for all of it; 0: none
};

struct HttpHead {
  int status = 0;
  std::string content_type;  // in lower case, without parameters
  std::string session_id;    // Mcp-Session-Id
  std::string location, www_authenticate;
};

// Who gets the parts of an answer. Called from wait() and resume(); only on_end() may start or
// cancel exchanges.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual void on_head(const HttpHead& head) = 0;
  // No: the answer is left with the server until resume().
  [[nodiscard]] virtual bool has_room() const = 0;
  virtual void on_bytes(std::string_view bytes) = 0;
  // The last call. `error`: why the answer is not whole; empty when it is.
  virtual void on_end(const std::string& error) = 0;
};

class HttpClient {
 public:
  // kInvalidInput: an option that libcurl does not take.
  [[nodiscard]] static Result<std::unique_ptr<HttpClient>> make(const HttpServer& server);
  virtual ~HttpClient() = default;

  // The URL that a reference (RFC 3986, 4.1) in an answer means. kInvalidInput: it is none, or
  // leads away from the server's scheme, host and port, which are what was decided on.
  [[nodiscard]] virtual Result<std::string> sibling(const std::string& reference) const = 0;
  // The exchange must live until on_end() or cancel().
  virtual void start(HttpRequest request, HttpExchange& exchange) = 0;
  virtual void cancel(HttpExchange& exchange) = 0;
  virtual void resume() = 0;
  // Until something happens to an exchange or to one of `fds` (as poll(2)), at most `timeout`.
  virtual void wait(std::span<pollfd> fds, std::chrono::milliseconds timeout) = 0;
};

}  // namespace lilith::enforcer::mcp
