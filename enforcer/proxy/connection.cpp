#include "enforcer/proxy/connection.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace lilith::enforcer::proxy {
namespace {

constexpr int kPiecesAtOnce = 8;

std::string_view phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

// EWOULDBLOCK is the same number on Linux.
bool would_block(int error) { return error == EAGAIN; }

}  // namespace

bool flush(int to, Direction& direction) {
  std::size_t done = 0;
  while (done < direction.pending.size()) {
    const ssize_t put = ::send(to, direction.pending.data() + done, direction.pending.size() - done,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && !would_block(errno)) return false;
    if (put < 0) break;
    done += static_cast<std::size_t>(put);
  }
  if (done == direction.pending.size()) {
    direction.pending = {};
  } else {
    direction.pending.erase(0, done);
  }
  if (direction.ended && direction.pending.empty() && !direction.shut) {
    direction.shut = true;
    ::shutdown(to, SHUT_WR);
  }
  return true;
}

Pumped pump(int from, int to, Direction& direction, BodyFollower* body, std::string& buffer) {
  buffer.resize(limits::kProxyRelayBytes);
  for (int i = 0; i < kPiecesAtOnce && !direction.ended; ++i) {
    if (!direction.pending.empty()) {
      if (!flush(to, direction)) return Pumped::kSinkBroken;
      if (!direction.pending.empty()) return Pumped::kOk;
    }
    const ssize_t got = ::recv(from, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && would_block(errno)) break;
    if (got < 0) return Pumped::kSourceBroken;
    if (got == 0) {
      direction.ended = true;
      break;
    }
    std::string_view piece = std::string_view(buffer).substr(0, static_cast<std::size_t>(got));
    if (body != nullptr) {
      const auto mine = body->take(piece);
      if (!mine) return Pumped::kBadBody;
      piece = piece.substr(0, *mine);
      if (piece.empty()) continue;
    }
    direction.bytes += piece.size();
    const ssize_t put = ::send(to, piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno != EINTR && !would_block(errno)) return Pumped::kSinkBroken;
    if (put > 0) piece.remove_prefix(static_cast<std::size_t>(put));
    direction.pending = piece;
    // A piece that did not fill the buffer was all that was there.
    if (static_cast<std::size_t>(got) < buffer.size()) break;
  }
  return flush(to, direction) ? Pumped::kOk : Pumped::kSinkBroken;
}

std::uint32_t events_of_client(const Connection& one) {
  std::uint32_t events = one.down.pending.empty() ? 0U : EPOLLOUT;
  const bool reads = one.phase == Phase::kHead || one.phase == Phase::kHello ||
                     one.phase == Phase::kLingering ||
                     (one.phase == Phase::kRelaying && !one.up.ended && one.up.pending.empty());
  return reads ? events | EPOLLIN : events;
}

std::uint32_t events_of_server(const Connection& one) {
  if (one.phase == Phase::kDialling) return EPOLLOUT;
  if (one.phase != Phase::kRelaying) return 0;
  std::uint32_t events = one.up.pending.empty() ? 0U : EPOLLOUT;
  return !one.down.ended && one.down.pending.empty() ? events | EPOLLIN : events;
}

std::string own_answer(int status, std::string_view text, bool with_body) {
  std::string body = printable(utf8_prefix(text, limits::kVerdictReasonBytesMax)) + "\n";
  std::string out = "HTTP/1.1 " + std::to_string(status) + " " + std::string(phrase(status)) +
                    "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                    std::to_string(body.size()) + "\r\nConnection: close\r\n";
  // RFC 9209.
  if (status == 403) out += "Proxy-Status: lilith; error=http_request_denied\r\n";
  return out + "\r\n" + (with_body ? body : std::string());
}

std::string denial_text(const Judgement& judgement) {
  std::string text = "lilith denies " + judgement.url + ": " + judgement.outcome.reason;
  if (!judgement.outcome.rule.empty()) text += " [rule " + judgement.outcome.rule + "]";
  return text;
}

}  // namespace lilith::enforcer::proxy
