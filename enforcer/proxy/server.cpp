#include "enforcer/proxy/server.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "enforcer/proxy/connection.hpp"
#include "enforcer/proxy/workers.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <set>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lilith::enforcer::proxy {
namespace {

using std::chrono::milliseconds;

constexpr int kEventsAtOnce = 256;
constexpr int kAcceptsAtOnce = 64;
constexpr int kBacklog = 1024;
constexpr milliseconds kSweep{250};
constexpr milliseconds kLinger{2000};
constexpr std::uint64_t kLingerBytes = std::uint64_t{1024} * 1024;
// Marks of epoll that belong to no connection; those have two each, from kFirstMark on.
constexpr std::uint64_t kListenerMark = 0, kPostedMark = 1, kStopMark = 2, kReloadMark = 3;
constexpr std::uint64_t kFirstId = 8;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const {
    return static_cast<const sockaddr*>(static_cast<const void*>(&storage));
  }
  [[nodiscard]] sockaddr* get() { return static_cast<sockaddr*>(static_cast<void*>(&storage)); }
};

SocketAddress socket_address(const rules::CanonicalHost& host, int port) {
  constexpr std::size_t kMappedBytes = 12;
  SocketAddress out;
  if (host.text.find(':') == std::string::npos) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&in.sin_addr, host.address.data() + kMappedBytes, sizeof in.sin_addr);
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
    return out;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(static_cast<std::uint16_t>(port));
  std::memcpy(&in.sin6_addr, host.address.data(), host.address.size());
  std::memcpy(&out.storage, &in, sizeof in);
  out.size = sizeof in;
  return out;
}

std::string text_of(const SocketAddress& address) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(address.get(), address.size, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "unknown";
  }
  const std::string name = host.data();
  return (name.find(':') == std::string::npos ? name : "[" + name + "]") + ":" + port.data();
}

void set_option(int fd, int level, int name) {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);
}

}  // namespace

struct Server::Impl {
  Impl(ServerOptions given, Gate& its_gate, Resolver& resolver, AddressGuard guard)
      : options(given), gate(its_gate), judge(gate, resolver, std::move(guard)) {}

  Result<void> serve(int stop_fd, int reload_fd);

  // ---- the loop
  Result<void> watch(int fd, std::uint64_t mark, std::uint32_t events) const;
  void dispatch(const epoll_event& event);
  void accept_all();
  void run_posted();
  void post(std::function<void()> task);
  void sweep();
  void update(Connection& one) const;
  void erase_if_closed(Connection& one);

  // ---- one connection
  void client_event(Connection& one, std::uint32_t events);
  void server_event(Connection& one, std::uint32_t events);
  void read_request(Connection& one);
  void decided(std::uint64_t id, Judgement judgement);
  void dial(Connection& one);
  void connected(Connection& one);
  void start_relay(Connection& one);
  void read_hello(Connection& one);
  void hello_decided(std::uint64_t id, const Outcome& outcome);
  void start_fixed(Connection& one);
  void relay(Connection& one);
  void answer(Connection& one, int status, std::string_view text);
  void linger(Connection& one);
  void timed_out(Connection& one);
  void finish(Connection& one, std::string_view how);
  void record_end(const Connection& one, std::string_view how);
  void set_phase(Connection& one, Phase phase, milliseconds deadline) {
    one.phase = phase;
    one.deadline = now + deadline;
    if (phase != Phase::kHead) heads.erase(one.id);
  }

  ServerOptions options;
  Gate& gate;
  ConnectionJudge judge;
  UniqueFd epoll, posted_fd;
  std::mutex mutex;
  std::vector<std::function<void()>> posted;  // by workers, under the mutex
  std::unique_ptr<Workers> workers;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections;
  std::set<std::uint64_t> heads;  // in Phase::kHead, oldest first
  std::uint64_t next_id = kFirstId;
  MonotonicTime now, next_sweep;
  std::string buffer;
  bool reload_wanted = false, stopping = false;
  int reload_from = -1;
};

// ---- the loop

Result<void> Server::Impl::watch(int fd, std::uint64_t mark, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.u64 = mark;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("epoll_ctl");
  return {};
}

// Registers what the connection waits for now. A descriptor without events is taken out, since
// epoll reports hang-ups of all that it holds.
void Server::Impl::update(Connection& one) const {
  const auto set = [this](int fd, std::uint64_t mark, std::uint32_t wanted, std::uint32_t& known) {
    if (fd < 0 || wanted == known) return;
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = mark;
    ::epoll_ctl(epoll.get(),
                known == 0    ? EPOLL_CTL_ADD
                : wanted == 0 ? EPOLL_CTL_DEL
                              : EPOLL_CTL_MOD,
                fd, &event);
    known = wanted;
  };
  if (one.closed) return;
  set(one.client.get(), one.id * 2, events_of_client(one), one.client_events);
  set(one.server.get(), one.id * 2 + 1, events_of_server(one), one.server_events);
}

void Server::Impl::erase_if_closed(Connection& one) {
  if (one.closed) {
    heads.erase(one.id);
    connections.erase(one.id);
  } else {
    update(one);
  }
}

void Server::Impl::accept_all() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    SocketAddress peer;
    peer.size = sizeof peer.storage;
    UniqueFd client(
        ::accept4(options.listener, peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client.valid()) return;
    if (connections.size() >= options.connections_max) {
      const std::string busy = own_answer(503, "lilith: too many connections", true);
      std::ignore = ::send(client.get(), busy.data(), busy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      continue;
    }
    set_option(client.get(), IPPROTO_TCP, TCP_NODELAY);
    set_option(client.get(), SOL_SOCKET, SO_KEEPALIVE);
    auto one = std::make_unique<Connection>();
    one->id = next_id++;
    one->client = std::move(client);
    one->peer = text_of(peer);
    one->started = now;
    heads.insert(one->id);
    set_phase(*one, Phase::kHead, options.head_deadline);
    Connection& added = *connections.emplace(one->id, std::move(one)).first->second;
    if (options.fixed_port != 0) start_fixed(added);
    erase_if_closed(added);
    if (heads.size() <= limits::kProxyHeadsMax) continue;
    // Whoever has been silent longest makes room.
    Connection& oldest = *connections.at(*heads.begin());
    finish(oldest, "silent");
    erase_if_closed(oldest);
  }
}

void Server::Impl::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex);
    posted.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  std::ignore = ::write(posted_fd.get(), &one, sizeof one);
}

void Server::Impl::run_posted() {
  std::uint64_t count = 0;
  std::ignore = ::read(posted_fd.get(), &count, sizeof count);
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex);
    tasks.swap(posted);
  }
  for (const auto& task : tasks) task();
}

void Server::Impl::sweep() {
  next_sweep = now + kSweep;
  std::vector<std::uint64_t> late;
  for (const auto& [id, one] : connections) {
    if (one->deadline <= now) late.push_back(id);
  }
  for (const std::uint64_t id : late) {
    Connection& one = *connections.at(id);
    timed_out(one);
    erase_if_closed(one);
  }
}

void Server::Impl::dispatch(const epoll_event& event) {
  const std::uint64_t mark = event.data.u64;
  if (mark == kListenerMark) return accept_all();
  if (mark == kPostedMark) return run_posted();
  if (mark == kStopMark) {
    stopping = true;
    return;
  }
  if (mark == kReloadMark) {
    std::array<char, 256> ignored{};  // a signalfd wants room for a whole record
    std::ignore = ::read(reload_from, ignored.data(), ignored.size());
    workers->add([this] {
      if (auto done = gate.reload(); !done) {
        std::ignore = write_all(STDERR_FILENO, "lilith proxy: " + done.error().message + "\n");
      }
    });
    return;
  }
  const auto found = connections.find(mark / 2);
  if (found == connections.end()) return;
  Connection& one = *found->second;
  if (mark % 2 == 0) {
    client_event(one, event.events);
  } else {
    server_event(one, event.events);
  }
  erase_if_closed(one);
}

Result<void> Server::Impl::serve(int stop_fd, int reload_fd) {
  epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  posted_fd.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !posted_fd.valid()) return fail_errno("cannot make an event loop");
  ::fcntl(options.listener, F_SETFL, ::fcntl(options.listener, F_GETFL) | O_NONBLOCK);
  reload_from = reload_fd;
  for (const auto& [fd, mark] : {std::pair{options.listener, kListenerMark},
                                 {posted_fd.get(), kPostedMark},
                                 {stop_fd, kStopMark},
                                 {reload_fd, kReloadMark}}) {
    if (fd < 0) continue;
    if (auto watched = watch(fd, mark, EPOLLIN); !watched) return watched;
  }
  workers = std::make_unique<Workers>(options.workers);
  std::array<epoll_event, kEventsAtOnce> events{};
  while (!stopping) {
    const int timeout = connections.empty() ? -1 : static_cast<int>(kSweep.count());
    const int count = ::epoll_wait(epoll.get(), events.data(), kEventsAtOnce, timeout);
    if (count < 0 && errno != EINTR) return fail_errno("epoll_wait");
    now = system_clock().monotonic();
    for (int i = 0; i < count; ++i) dispatch(events[static_cast<std::size_t>(i)]);
    if (now >= next_sweep) sweep();
  }
  for (auto& [id, one] : connections) finish(*one, "stopped");
  workers.reset();  // what is still to be recorded is
  connections.clear();
  return {};
}

// ---- one connection

void Server::Impl::client_event(Connection& one, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && !flush(one.client.get(), one.down)) return finish(one, "client");
  switch (one.phase) {
    case Phase::kHead:
      return read_request(one);
    case Phase::kHello:
      if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read_hello(one);
      return;
    case Phase::kRelaying:
      return relay(one);
    case Phase::kAnswering:
      if (one.down.pending.empty()) set_phase(one, Phase::kLingering, kLinger);
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) finish(one, "client");
      return;
    case Phase::kLingering:
      return linger(one);
    case Phase::kDeciding:
    case Phase::kDialling:
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) finish(one, "client");
      return;
  }
}

void Server::Impl::server_event(Connection& one, std::uint32_t events) {
  if (one.phase == Phase::kDialling) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(one.server.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return dial(one);
    if ((events & EPOLLOUT) != 0) connected(one);
    return;
  }
  if (one.phase == Phase::kRelaying) relay(one);
}

void Server::Impl::read_request(Connection& one) {
  buffer.resize(limits::kProxyRelayBytes);
  const ssize_t got = ::recv(one.client.get(), buffer.data(), limits::kProxyHeadBytesMax, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return finish(one, "client");
  one.head.append(buffer.data(), static_cast<std::size_t>(got));
  auto head = read_head(one.head);
  if (head && !*head) return;
  set_phase(one, Phase::kDeciding, limits::kProxyDecideDeadline);
  if (!head) {
    workers->add([this, id = one.id, peer = one.peer, bad = std::move(head.error())] {
      Judgement judgement = judge.judge_bad_request(bad, peer);
      post([this, id, judgement = std::move(judgement)]() mutable {
        decided(id, std::move(judgement));
      });
    });
    return;
  }
  one.request = std::move(**head);
  one.head.erase(0, one.request.head_bytes);
  workers->add([this, id = one.id, request = one.request, peer = one.peer] {
    Judgement judgement = judge.judge(request, peer);
    post([this, id, judgement = std::move(judgement)]() mutable {
      decided(id, std::move(judgement));
    });
  });
}

void Server::Impl::decided(std::uint64_t id, Judgement judgement) {
  const auto found = connections.find(id);
  // Gone, or answered since.
  if (found == connections.end() || found->second->phase != Phase::kDeciding) return;
  Connection& one = *found->second;
  one.judgement = std::move(judgement);
  const Judgement& known = one.judgement;
  if (known.bad_request_status != 0) {
    answer(one, known.bad_request_status, "lilith: " + known.outcome.reason);
  } else if (!known.outcome.allowed) {
    answer(one, 403, denial_text(known));
  } else if (known.addresses.empty()) {
    record_end(one, known.resolve_error);
    answer(one, 502, "lilith: " + known.resolve_error);
  } else {
    dial(one);
  }
  erase_if_closed(one);
}

// The next address, or an answer when there is none left.
void Server::Impl::dial(Connection& one) {
  int error = ECONNREFUSED;
  while (one.next_address < one.judgement.addresses.size()) {
    const rules::CanonicalHost& host = one.judgement.addresses[one.next_address++];
    const SocketAddress address = socket_address(host, one.judgement.port);
    one.server_events = 0;
    one.server.reset(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    one.dialled = host.text;
    const int done =
        one.server.valid() ? ::connect(one.server.get(), address.get(), address.size) : -1;
    error = errno;
    if (done == 0) return connected(one);
    if (one.server.valid() && error == EINPROGRESS) {
      return set_phase(one, Phase::kDialling, limits::kProxyDialDeadline);
    }
  }
  one.server.reset();
  const std::string why = one.judgement.host + " can't be reached";
  record_end(one, why);
  answer(one, 502, "lilith: " + why);
}

void Server::Impl::start_fixed(Connection& one) {
  one.request.is_connect = true;
  one.judgement.outcome.allowed = true;
  one.judgement.outcome.rule = "--allow-local";
  one.judgement.protocol = "tcp";
  one.judgement.host = "127.0.0.1";
  one.judgement.port = options.fixed_port;
  one.judgement.addresses = {*rules::canonical_host("127.0.0.1")};
  dial(one);
}

void Server::Impl::connected(Connection& one) {
  set_option(one.server.get(), IPPROTO_TCP, TCP_NODELAY);
  set_option(one.server.get(), SOL_SOCKET, SO_KEEPALIVE);
  if (!one.request.is_connect || options.fixed_port != 0) return start_relay(one);
  one.down.pending = "HTTP/1.1 200 Connection established\r\n\r\n";
  if (!flush(one.client.get(), one.down)) return finish(one, "client");
  const bool tls = one.judgement.protocol == "https" || one.judgement.protocol == "wss";
  if (!tls) return start_relay(one);
  set_phase(one, Phase::kHello, limits::kProxyHelloDeadline);
  if (!one.head.empty()) read_hello(one);
}

// Until it is known whom the client means, the server gets nothing of it.
void Server::Impl::read_hello(Connection& one) {
  buffer.resize(limits::kProxyRelayBytes);
  const ssize_t got = ::recv(one.client.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno != EAGAIN && errno != EINTR) return finish(one, "client");
  if (got == 0) return finish(one, "client");
  if (got > 0) one.head.append(buffer.data(), static_cast<std::size_t>(got));
  HelloPeek peek = peek_client_hello(one.head);
  if (peek.state == HelloState::kIncomplete) return;
  if (peek.state == HelloState::kWhole && peek.hello.server_name == one.judgement.host) {
    return start_relay(one);
  }
  // Agrees in another spelling, or not at all: the latter is recorded.
  set_phase(one, Phase::kDeciding, limits::kProxyDecideDeadline);
  workers->add(
      [this, id = one.id, judgement = one.judgement, peek = std::move(peek), peer = one.peer] {
        Outcome outcome = judge.judge_hello(judgement, peek, peer);
        post([this, id, outcome = std::move(outcome)] { hello_decided(id, outcome); });
      });
}

void Server::Impl::hello_decided(std::uint64_t id, const Outcome& outcome) {
  const auto found = connections.find(id);
  if (found == connections.end() || found->second->phase != Phase::kDeciding) return;
  Connection& one = *found->second;
  if (outcome.allowed) {
    start_relay(one);
  } else {
    finish(one, outcome.reason);
  }
  erase_if_closed(one);
}

void Server::Impl::start_relay(Connection& one) {
  set_phase(one, Phase::kRelaying, limits::kProxyIdleDeadline);
  std::string_view early = one.head;
  if (!one.request.is_connect) {
    one.up.pending = forwarded_head(one.request);
    one.body = BodyFollower(one.request);
    const auto mine = one.body.take(early);
    if (!mine) return finish(one, "the body's chunks are malformed");
    early = early.substr(0, *mine);
  }
  one.up.pending += early;
  one.up.bytes += one.up.pending.size();
  one.head = {};
  if (!flush(one.server.get(), one.up)) finish(one, "server");
}

void Server::Impl::relay(Connection& one) {
  one.deadline = now + limits::kProxyIdleDeadline;
  BodyFollower* body = one.request.is_connect ? nullptr : &one.body;
  const Pumped up = pump(one.client.get(), one.server.get(), one.up, body, buffer);
  const Pumped down = pump(one.server.get(), one.client.get(), one.down, nullptr, buffer);
  if (up == Pumped::kBadBody) return finish(one, "the body's chunks are malformed");
  if (up == Pumped::kSourceBroken || down == Pumped::kSinkBroken) return finish(one, "client");
  if (down == Pumped::kSourceBroken) return finish(one, "server");
  if (up == Pumped::kSinkBroken) {
    // The answer may well come from a server that does not read on.
    one.up.ended = one.up.shut = true;
    one.up.pending.clear();
  }
  if (one.up.shut && one.down.shut) return finish(one, "closed");
  if (!one.down.shut || one.request.is_connect) return;
  // One request, one answer. Closing now could take the answer's end with it (RFC 9112
  // section 9.6).
  record_end(one, "closed");
  one.server.reset();
  one.server_events = 0;
  set_phase(one, Phase::kLingering, kLinger);
}

void Server::Impl::answer(Connection& one, int status, std::string_view text) {
  one.server.reset();
  one.server_events = 0;
  one.down.pending = own_answer(status, text, one.request.method != "HEAD");
  set_phase(one, Phase::kAnswering, kLinger);
  if (!flush(one.client.get(), one.down)) return finish(one, "client");
  if (!one.down.pending.empty()) return;
  ::shutdown(one.client.get(), SHUT_WR);
  set_phase(one, Phase::kLingering, kLinger);
}

void Server::Impl::linger(Connection& one) {
  buffer.resize(limits::kProxyRelayBytes);
  const ssize_t got = ::recv(one.client.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) one.lingered_bytes += static_cast<std::uint64_t>(got);
  if (got <= 0 || one.lingered_bytes > kLingerBytes) finish(one, "answered");
}

void Server::Impl::timed_out(Connection& one) {
  switch (one.phase) {
    case Phase::kHead:
      return answer(one, 408, "lilith: the request did not come in time");
    case Phase::kDeciding:
      if (one.server.valid()) return finish(one, "undecided");
      return answer(one, 504, "lilith: the decision or the look-up of the name took too long");
    case Phase::kDialling:
      return dial(one);
    case Phase::kHello:
      return finish(one, "no TLS client hello in time");
    case Phase::kRelaying:
      return finish(one, "idle");
    case Phase::kAnswering:
    case Phase::kLingering:
      return finish(one, "answered");
  }
}

void Server::Impl::finish(Connection& one, std::string_view how) {
  if (one.closed) return;
  one.closed = true;
  if (one.server.valid()) record_end(one, how);
}

void Server::Impl::record_end(const Connection& one, std::string_view how) {
  const auto policy = gate.policy();
  if (policy != nullptr && !policy->audit().log_allowed) return;
  audit::Event event = gate.blank_event(audit::EventType::kConnectionClosed);
  event.category = audit::Category::kEgress;
  event.tool = one.request.is_connect ? "CONNECT" : one.request.method;
  event.hook = "proxy";
  event.operation.kind = audit::OperationKind::kEgress;
  event.operation.host = one.judgement.host;
  event.operation.port = one.judgement.port;
  event.operation.protocol = one.judgement.protocol;
  const auto duration = std::chrono::duration_cast<milliseconds>(now - one.started).count();
  event.rule = one.judgement.outcome.rule;
  event.detail = {{"decision", one.judgement.outcome.event_id},
                  {"address", one.dialled},
                  {"bytes_up", std::to_string(one.up.bytes)},
                  {"bytes_down", std::to_string(one.down.bytes)},
                  {"duration_ms", std::to_string(duration)},
                  {"peer", one.peer},
                  {"end", printable(how)}};
  std::erase_if(event.detail, [](const auto& entry) { return entry.second.empty(); });
  workers->add([this, event = std::move(event)]() mutable {
    if (auto written = gate.write(event); !written) {
      std::ignore = write_all(STDERR_FILENO,
                              "lilith proxy: the end of a connection could not be "
                              "recorded: " +
                                  written.error().message + "\n");
    }
  });
}

// ---- the outside

Server::Server(ServerOptions options, Gate& gate, Resolver& resolver, AddressGuard guard)
    : impl_(std::make_unique<Impl>(options, gate, resolver, std::move(guard))) {}
Server::~Server() = default;

Result<void> Server::serve(int stop_fd, int reload_fd) { return impl_->serve(stop_fd, reload_fd); }

Result<UniqueFd> listen_at(const std::string& where) {
  const std::size_t colon = where.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    const auto [end, error] =
        std::from_chars(where.data() + colon + 1, where.data() + where.size(), port);
    if (error != std::errc{} || end != where.data() + where.size()) port = -1;
  }
  const auto host = rules::canonical_host(where.substr(0, std::min(colon, where.size())));
  if (port < 0 || port > 65535 || !host || !host->is_address) {
    return fail(ErrorCode::kInvalidInput,
                "--listen wants ADDRESS:PORT, such as 127.0.0.1:3128, not " + printable(where));
  }
  const SocketAddress address = socket_address(*host, port);
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail_errno("cannot make a socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR);
  if (::bind(fd.get(), address.get(), address.size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return fail_errno("cannot listen at " + where);
  }
  return fd;
}

std::string bound_to(int listener) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(listener, address.get(), &address.size) != 0) return {};
  return text_of(address);
}

}  // namespace lilith::enforcer::proxy
