#include "enforcer/run/seccomp.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
  void answer(std::uint32_t action) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
  [[nodiscard]] std::vector<sock_filter>& code() { return code_; }

 private:
  std::vector<sock_filter> code_;
};

constexpr std::uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;
constexpr std::size_t kNumber = offsetof(seccomp_data, nr);
constexpr std::size_t kArch = offsetof(seccomp_data, arch);
// The low half: both architectures are little-endian.
constexpr std::size_t argument(std::size_t index) {
  return offsetof(seccomp_data, args) + index * sizeof(std::uint64_t);
}

std::vector<sock_filter> filter() {
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
  program.unless_equal_skip(SYS_socket, 5);
  program.load(argument(0));
  program.if_equal_skip(AF_INET, 2);
  program.if_equal_skip(AF_INET6, 1);
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

}  // namespace

Result<void> install_filter() {
  std::vector<sock_filter> code = filter();
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    return fail_errno("cannot install the filter of system calls");
  }
  return {};
}

}  // namespace lilith::enforcer::run
