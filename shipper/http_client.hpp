#pragma once
// HTTP by libcurl: POST to one address, for the sinks that speak it, one thread at a time; and GET
// through a socket of this machine.

#include "audit/base/result.hpp"
#include "shipper/config.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::shipper {

struct HttpReply {
  long status = 0;  // 0: there was none
  std::string body;
  std::string error;  // a sentence with the address, for every status but 2xx
  std::chrono::milliseconds retry_after{0};

  [[nodiscard]] bool good() const { return status >= 200 && status < 300; }
};

// The beginning of what a receiver said, for messages, without what it may say back of the request:
// passwords and tokens of `config`, and whatever else has the shape of a secret.
[[nodiscard]] std::string said_by(std::string_view body, const SinkConfig& config);

// Whether the same request may succeed later.
[[nodiscard]] bool is_passing(long status);

// The answer's body to GET http://lilith`path` through the unix socket `socket`; nothing when
// nobody answers with 2xx in time. HttpClient::ready() comes before.
[[nodiscard]] std::optional<std::string> get_from_socket(const std::string& socket,
                                                         const std::string& path,
                                                         std::chrono::milliseconds timeout);

class HttpClient {
 public:
  // Loads libcurl, once; an error says that it is not there. To be asked before a client is made.
  [[nodiscard]] static Result<void> ready();
  // Takes time limits and TLS from `config`, and where `with_password` its username and password
  // (Basic).
  HttpClient(std::string url, const SinkConfig& config, bool with_password);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // "Name: value" each, for the requests from now on.
  void set_headers(const std::vector<std::string>& headers);
  // Blocks at most connect_timeout and send_timeout.
  [[nodiscard]] HttpReply post(std::string_view body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::shipper
