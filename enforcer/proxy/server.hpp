#pragma once
// The egress proxy: CONNECT and absolute-form requests, each decided and recorded before anything
// is dialled. One thread moves bytes (epoll(7)); whatever can block (look-ups, the audit log) is
// done by a few workers.

#include "audit/base/limits.hpp"
#include "audit/base/unique_fd.hpp"
#include "enforcer/proxy/connection_judge.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace lilith::enforcer::proxy {

struct ServerOptions {
  int listener = -1;  // a listening stream socket; stays the caller's
  std::size_t connections_max = limits::kProxyConnectionsMax;
  // Not 0: no heads are read, every connection goes to this port of the loopback. Whoever sets it
  // has decided it.
  int fixed_port = 0;
  std::chrono::milliseconds head_deadline = limits::kProxyHeadDeadline;
  std::size_t workers = 32;  // each may wait for a name server
};

class Server {
 public:
  Server(ServerOptions options, Gate& gate, Resolver& resolver, AddressGuard guard);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves until `stop_fd` becomes readable, then closes and records all connections. A byte on
  // `reload_fd` (-1: none) makes it read the policy again; connections that are open stay.
  [[nodiscard]] Result<void> serve(int stop_fd, int reload_fd = -1);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A listening socket at "HOST:PORT" (an address; port 0: a free one).
[[nodiscard]] Result<UniqueFd> listen_at(const std::string& where);
// "127.0.0.1:3128", as it is bound.
[[nodiscard]] std::string bound_to(int listener);

}  // namespace lilith::enforcer::proxy
