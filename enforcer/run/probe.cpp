#include "enforcer/run/probe.hpp"

#include "audit/base/unique_fd.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lilith::enforcer::run {
namespace {

constexpr int kProxyWaitMs = 5000;

// Documentation addresses (RFC 5737, RFC 3849): nobody answers there, and the kernel knows at once
// whether there is a route.
constexpr const char* kOutside4 = "192.0.2.1";
constexpr const char* kOutside6 = "2001:db8::1";

sockaddr_in address4(const char* text, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

sockaddr_in6 address6(const char* text, int port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET6, text, &address.sin6_addr);
  return address;
}

// Connected, or on the way: there is a route.
template <class Address>
bool connects(const Address& address, int family, int type) {
  const UniqueFd fd(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return false;
  const auto* to = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  return ::connect(fd.get(), to, sizeof address) == 0 || errno == EINPROGRESS;
}

bool opens(int family, int type) {
  return UniqueFd(::socket(family, type | SOCK_CLOEXEC, 0)).valid();
}

bool calls(long number) {
  // With arguments that are wrong: what is refused by the filter says EPERM, what is not says why.
  return ::syscall(number, -1, nullptr, nullptr, nullptr, nullptr, nullptr) >= 0 || errno != EPERM;
}

bool proxy_answers(int port) {
  const sockaddr_in address = address4("127.0.0.1", port);
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* to = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (!fd.valid() || ::connect(fd.get(), to, sizeof address) != 0) return false;
  // Who ends without a word is ended as well, by somebody who is there.
  ::shutdown(fd.get(), SHUT_WR);
  pollfd wait{fd.get(), POLLIN, 0};
  char ignored = 0;
  return ::poll(&wait, 1, kProxyWaitMs) == 1 && ::recv(fd.get(), &ignored, 1, 0) == 0;
}

}  // namespace

std::string leaks(const Canaries& canaries) {
  std::string out;
  const auto check = [&out](bool leaked, std::string_view what) {
    if (!leaked) return;
    if (!out.empty()) out += ", ";
    out += what;
  };
  {
    const sockaddr_in host = address4("127.0.0.1", canaries.host_port);
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto* to = static_cast<const sockaddr*>(static_cast<const void*>(&host));
    check(fd.valid() && ::connect(fd.get(), to, sizeof host) == 0, "the host's loopback answers");
  }
  check(connects(address4(kOutside4, 443), AF_INET, SOCK_STREAM), "IPv4 has a route");
  check(connects(address6(kOutside6, 443), AF_INET6, SOCK_STREAM), "IPv6 has a route");
  check(connects(address4(kOutside4, 53), AF_INET, SOCK_DGRAM), "UDP has a route");
  check(connects(address6(kOutside6, 53), AF_INET6, SOCK_DGRAM), "UDP over IPv6 has a route");
  check(opens(AF_UNIX, SOCK_STREAM) || opens(AF_UNIX, SOCK_DGRAM), "unix sockets can be opened");
  check(opens(AF_UNIX, SOCK_SEQPACKET), "unix sockets of packets can be opened");
  check(opens(AF_NETLINK, SOCK_RAW), "netlink sockets can be opened");
  check(opens(AF_VSOCK, SOCK_STREAM), "sockets to a virtual machine's host can be opened");
  check(opens(AF_PACKET, SOCK_RAW), "packet sockets can be opened");
  check(opens(AF_INET, SOCK_RAW), "raw sockets can be opened");
  check(calls(SYS_io_uring_setup), "io_uring can be used");
  check(calls(SYS_setns), "other namespaces can be entered");
  check(calls(SYS_ptrace), "other processes can be traced");
  check(calls(SYS_pidfd_getfd), "other processes' descriptors can be taken");
  check(!proxy_answers(canaries.proxy_port), "the proxy does not answer");
  return out;
}

}  // namespace lilith::enforcer::run
