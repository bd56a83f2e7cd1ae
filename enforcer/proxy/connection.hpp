#pragma once
// One client of the egress proxy and what it is connected to: the bytes of both directions, without
// the loop that says when.

#include "audit/base/unique_fd.hpp"
#include "enforcer/proxy/connection_judge.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lilith::enforcer::proxy {

enum class Phase {
  kHead,       // the request's head is read
  kDeciding,   // a worker decides
  kDialling,   // connect(2) is under way
  kHello,      // a tunnel's first bytes are awaited
  kRelaying,   // both directions
  kAnswering,  // an answer of our own is written
  kLingering,  // what the client still sends is dropped, so that it gets to read the answer
};

// One direction: read from one socket, written to the other.
struct Direction {
  std::string pending;  // read and not yet taken by the reader
  bool ended = false;   // end of input was read
  bool shut = false;    // and handed on
  std::uint64_t bytes = 0;
};

struct Connection {
  std::uint64_t id = 0;
  Phase phase = Phase::kHead;
  UniqueFd client, server;
  std::uint32_t client_events = 0, server_events = 0;  // as registered; 0: not at all
  std::string peer;
  MonotonicTime started, deadline;
  std::string head;  // what the client sent so far, until it is relayed
  RequestHead request;
  BodyFollower body;
  Judgement judgement;
  std::size_t next_address = 0;
  std::string dialled;  // the address that is connected to
  Direction up, down;   // client to server, server to client
  std::uint64_t lingered_bytes = 0;
  bool closed = false;
};

enum class Pumped { kOk, kBadBody, kSourceBroken, kSinkBroken };

// Moves what is there from `from` to `to`, at most a few pieces, so that others get their turn.
// `body`, when given, lets pass what belongs to the one request. `buffer` is scratch memory.
[[nodiscard]] Pumped pump(int from, int to, Direction& direction, BodyFollower* body,
                          std::string& buffer);
// Writes what is pending; false when the reader is gone.
[[nodiscard]] bool flush(int to, Direction& direction);

// The events that the phase waits for; 0 when there is nothing to wait for.
[[nodiscard]] std::uint32_t events_of_client(const Connection& connection);
[[nodiscard]] std::uint32_t events_of_server(const Connection& connection);

// A whole answer of the proxy's own.
[[nodiscard]] std::string own_answer(int status, std::string_view text, bool with_body);
[[nodiscard]] std::string denial_text(const Judgement& judgement);

}  // namespace lilith::enforcer::proxy
