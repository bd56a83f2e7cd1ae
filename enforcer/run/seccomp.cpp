#include "enforcer/run/seccomp.hpp"

#include "audit/confine/system_calls.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <tuple>

namespace lilith::enforcer::run {
namespace {

// Without waiting: who asks can come again, and others ask meanwhile.
Result<UniqueFd> connect_to_recorder(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::kUnavailable, "there is no recorder", EPERM);
  }
  path.copy(address.sun_path, path.size());
  const auto* to = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // With a name of its own (unix(7), autobind) it can't be given another.
  if (!socket.valid() || ::bind(socket.get(), to, sizeof address.sun_family) != 0 ||
      ::connect(socket.get(), to, sizeof address) != 0) {
    return fail_errno("no recorder answers at " + path);
  }
  return socket;
}

}  // namespace

Result<UniqueFd> install_filter(bool asks) {
  // IPv4 and IPv6 have no way out of the namespace but the proxy. No unix sockets of the host, no
  // virtual machine's, no kernel's.
  constexpr std::array<std::uint32_t, 2> kFamilies{AF_INET, AF_INET6};
  confine::SystemCallFilter filter(confine::SystemCallFilter::Foreign::kKill);
  filter.refuse(confine::kUnseenIo);
  filter.refuse(SYS_ptrace);
  filter.refuse(confine::kOtherProcesses);
  filter.refuse(confine::kKernel);
  filter.allow_sockets(kFamilies, asks);
  filter.refuse_typing();
  return filter.install();
}

void hand_recorder(int asking, const std::function<std::string()>& path) {
  // A kernel that knows more members writes more.
  struct {
    seccomp_notif request;
    std::array<char, 256> more;
  } asked{};
  if (::ioctl(asking, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return;
  seccomp_notif_resp answer{};
  answer.id = asked.request.id;
  const auto socket = connect_to_recorder(path());
  if (socket) {
    const auto type = static_cast<unsigned>(asked.request.data.args[1]);
    if ((type & SOCK_NONBLOCK) == 0) ::fcntl(socket->get(), F_SETFL, 0);
    seccomp_notif_addfd put{};
    put.id = asked.request.id;
    put.srcfd = static_cast<std::uint32_t>(socket->get());
    put.newfd_flags = (type & SOCK_CLOEXEC) != 0 ? O_CLOEXEC : 0;
    const int theirs = ::ioctl(asking, SECCOMP_IOCTL_NOTIF_ADDFD, &put);
    answer.val = theirs;
    answer.error = theirs < 0 ? -errno : 0;
  } else {
    answer.error = -socket.error().os_errno;
  }
  // Who asked may have been killed meanwhile.
  std::ignore = ::ioctl(asking, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

}  // namespace lilith::enforcer::run
