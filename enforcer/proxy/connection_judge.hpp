#pragma once
// From what a client asks for to the addresses that may be dialled: decided on the name, resolved
// once, decided on the addresses, recorded. Whoever dials has nothing left to look up.

#include "enforcer/gate.hpp"
#include "enforcer/proxy/address_guard.hpp"
#include "enforcer/proxy/client_hello.hpp"
#include "enforcer/proxy/http_head.hpp"

#include <string>
#include <vector>

namespace lilith::enforcer::proxy {

class Resolver {
 public:
  virtual ~Resolver() = default;
  // All addresses of the name, in the order in which they should be tried. Blocks.
  [[nodiscard]] virtual Result<std::vector<rules::CanonicalHost>> resolve(
      const std::string& host) = 0;
};
// getaddrinfo(3): what the machine is configured for.
[[nodiscard]] Resolver& system_resolver();

// A connection that was asked for and decided.
struct Judgement {
  Outcome outcome;
  std::string url;       // what was decided on: protocol://host:port, or the URL of the request
  std::string protocol;  // https, wss, ssh, tcp for tunnels; http for requests
  std::string host;
  int port = 0;
  std::vector<rules::CanonicalHost> addresses;  // to be dialled in this order
  std::string resolve_error;                    // allowed, but the name has no address
  int bad_request_status = 0;  // HTTP status where there was no request that could be decided
};

// Safe to use from several threads.
class ConnectionJudge {
 public:
  ConnectionJudge(Gate& gate, Resolver& resolver, AddressGuard guard)
      : gate_(gate), resolver_(resolver), guard_(std::move(guard)) {}

  // `peer`: the client's address, for the event.
  [[nodiscard]] Judgement judge(const RequestHead& head, const std::string& peer);
  // For a connection of our own to scheme, host and port of `to`; `call` names who asks. Without
  // `looks_up` somebody else finds the addresses, and the name alone is decided.
  [[nodiscard]] Judgement judge_destination(const rules::Destination& to, GateCall call,
                                            bool looks_up);
  // Records what was no request; it is never passed on.
  [[nodiscard]] Judgement judge_bad_request(const BadRequest& bad, const std::string& peer);
  // The first bytes of a tunnel against what was decided; allowed without an event when they agree.
  [[nodiscard]] Outcome judge_hello(const Judgement& judgement, const HelloPeek& peek,
                                    const std::string& peer);

 private:
  // Everything after the name of what is asked for is known.
  [[nodiscard]] Judgement settle(Judgement judgement, GateCall call,
                                 const rules::CanonicalHost& host);
  [[nodiscard]] std::string protocol_of_tunnel(const RequestHead& head) const;
  // Why this address must not be dialled for the call, as a change of the call; false when it may.
  [[nodiscard]] bool closes(const rules::CanonicalHost& address, Judgement& judgement,
                            audit::Call& call) const;
  [[nodiscard]] GateCall gate_call(const Judgement& judgement, const RequestHead& head,
                                   const std::string& peer) const;

  Gate& gate_;
  Resolver& resolver_;
  AddressGuard guard_;
};

// "[::1]:443", "127.0.0.1:80".
[[nodiscard]] std::string authority_of(const rules::CanonicalHost& host, int port);

}  // namespace lilith::enforcer::proxy
