#pragma once
// A small HTTP/1.1 server for metrics and health: GET and HEAD, one request a connection.
//
// Nobody can hold it up: at most kConnectionsMax connections, each with little memory and closed
// after kConnectionLife whatever it does. It has a thread of its own, which sleeps while nobody
// asks.

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lilith::shipper {

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpListener {
 public:
  static constexpr unsigned kConnectionsMax = 32;
  static constexpr std::chrono::seconds kConnectionLife{5};

  // `answer` gets the path of the request, and is called by the listener's thread only.
  [[nodiscard]] static Result<std::unique_ptr<HttpListener>> start(
      UniqueFd socket, std::function<HttpAnswer(std::string_view path)> answer);
  virtual ~HttpListener() = default;
};

// Sockets that listen. `host` is an address or a name; port 0: a free one.
[[nodiscard]] Result<UniqueFd> listen_tcp(const std::string& host, int port);
// Mode 0600. A socket that is left over at `path` is replaced.
[[nodiscard]] Result<UniqueFd> listen_unix(const std::string& path);

}  // namespace lilith::shipper
