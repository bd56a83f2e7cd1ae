#include "enforcer/run/seccomp.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace lilith::enforcer::run {
namespace {

// Refused whatever their arguments are.
constexpr std::array kRefused{
    // Doing input and output, sockets included, behind the filter's back.
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    // Other processes' memory, descriptors and namespaces.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_setns, SYS_kcmp,
    // The kernel's own machinery.
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl,
    SYS_open_by_handle_at, SYS_kexec_load, SYS_init_module, SYS_finit_module};

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kForeignBit = 0x40000000;  // x32 (__X32_SYSCALL_BIT)
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kForeignBit = 0;
#else
#error "the fence has no filter for this architecture"
#endif

class Program {
 public:
  void load(std::size_t offset) {
    code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  // Goes on behind the next `skip` instructions when equal.
  void unless_equal_skip(std::uint32_t value, std::uint8_t skip) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip));
  }
  void if_equal_skip(std::uint32_t value, std::uint8_t skip) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0));
  }
  void unless_bit_skip(std::uint32_t bit, std::uint8_t skip) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bit, 0, skip));
  }
  void keep_bits(std::uint32_t bits) { code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits)); }
  void answer(std::uint32_t action) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
  [[nodiscard]] std::vector<sock_filter>& code() { return code_; }

 private:
  std::vector<sock_filter> code_;
};

constexpr std::uint32_t kSocketType = 0xF;  // the rest of socket()'s second argument are flags
constexpr std::uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;
constexpr std::size_t kNumber = offsetof(seccomp_data, nr);
constexpr std::size_t kArch = offsetof(seccomp_data, arch);
// The low half: both architectures are little-endian.
constexpr std::size_t argument(std::size_t index) {
  return offsetof(seccomp_data, args) + index * sizeof(std::uint64_t);
}

std::vector<sock_filter> filter(bool asks) {
  Program program;
  program.load(kArch);
  program.if_equal_skip(kArchitecture, 1);
  program.answer(SECCOMP_RET_KILL_PROCESS);
  program.load(kNumber);
  if (kForeignBit != 0) {
    program.unless_bit_skip(kForeignBit, 1);
    program.answer(kEperm);
  }
  for (const long number : kRefused) {
    program.unless_equal_skip(static_cast<std::uint32_t>(number), 1);
    program.answer(kEperm);
  }
  // socket(): IPv4 and IPv6, which have no way out of the namespace but the proxy. No unix sockets
  // of the host, no virtual machine's, no kernel's.
  program.unless_equal_skip(SYS_socket, asks ? 10 : 5);
  program.load(argument(0));
  program.if_equal_skip(AF_INET, asks ? 7 : 2);
  program.if_equal_skip(AF_INET6, asks ? 6 : 1);
  if (asks) {
    program.unless_equal_skip(AF_UNIX, 4);
    program.load(argument(1));
    program.keep_bits(kSocketType);
    program.unless_equal_skip(SOCK_SEQPACKET, 1);
    program.answer(SECCOMP_RET_USER_NOTIF);
  }
  program.answer(kEperm);
  program.answer(SECCOMP_RET_ALLOW);
  // ioctl(): typing into the terminal that the agent was started from.
  program.unless_equal_skip(SYS_ioctl, 5);
  program.load(argument(1));
  program.if_equal_skip(TIOCSTI, 1);
  program.unless_equal_skip(TIOCLINUX, 1);
  program.answer(kEperm);
  program.answer(SECCOMP_RET_ALLOW);
  program.answer(SECCOMP_RET_ALLOW);
  return program.code();
}

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
  std::vector<sock_filter> code = filter(asks);
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  const unsigned long flags = asks ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  const long done = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (done < 0) return fail_errno("cannot install the filter of system calls");
  return asks ? UniqueFd(static_cast<int>(done)) : UniqueFd();
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
