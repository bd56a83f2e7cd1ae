#include "audit/confine/system_calls.hpp"

#include <cstddef>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lilith::confine {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kForeignBit = 0x40000000;  // x32 (__X32_SYSCALL_BIT)
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kForeignBit = 0;
#else
#error "there is no filter of system calls for this architecture"
#endif

constexpr std::uint32_t kSocketType = 0xF;  // the rest of socket()'s second argument are flags
constexpr std::uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;

}  // namespace

void SystemCallFilter::load(std::size_t offset) {
  code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
}

// The low half: both architectures are little-endian.
void SystemCallFilter::load_argument(std::size_t index) {
  load(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

// These go on behind the next `skip` instructions.
void SystemCallFilter::if_equal_skip(std::uint32_t value, std::size_t skip) {
  code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, static_cast<std::uint8_t>(skip), 0));
}
void SystemCallFilter::unless_equal_skip(std::uint32_t value, std::size_t skip) {
  code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, static_cast<std::uint8_t>(skip)));
}
void SystemCallFilter::unless_bit_skip(std::uint32_t bits, std::size_t skip) {
  code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, static_cast<std::uint8_t>(skip)));
}

void SystemCallFilter::answer(std::uint32_t action) {
  code_.push_back(BPF_STMT(BPF_RET | BPF_K, action));
}

// Every rule leaves the number of the call where it found it, or answers.
SystemCallFilter::SystemCallFilter(Foreign foreign) {
  load(offsetof(seccomp_data, arch));
  if_equal_skip(kArchitecture, 1);
  answer(foreign == Foreign::kKill ? SECCOMP_RET_KILL_PROCESS : kEperm);
  load(offsetof(seccomp_data, nr));
  if (kForeignBit != 0) {
    unless_bit_skip(kForeignBit, 1);
    answer(kEperm);
  }
}

void SystemCallFilter::refuse(long number, int error) {
  unless_equal_skip(static_cast<std::uint32_t>(number), 1);
  answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
}

void SystemCallFilter::refuse(std::span<const long> numbers) {
  for (const long number : numbers) refuse(number);
}

void SystemCallFilter::refuse_bits(long number, std::size_t argument, std::uint32_t bits) {
  unless_equal_skip(static_cast<std::uint32_t>(number), 4);
  load_argument(argument);
  unless_bit_skip(bits, 1);
  answer(kEperm);
  answer(SECCOMP_RET_ALLOW);
}

void SystemCallFilter::allow_sockets(std::span<const std::uint32_t> families, bool packets_ask) {
  const std::size_t asking = packets_ask ? 5 : 0;
  unless_equal_skip(SYS_socket, families.size() + asking + 3);
  load_argument(0);
  for (std::size_t i = 0; i < families.size(); ++i) {
    if_equal_skip(families[i], families.size() - i + asking);
  }
  if (packets_ask) {
    asks_ = true;
    unless_equal_skip(AF_UNIX, 4);
    load_argument(1);
    code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSocketType));
    unless_equal_skip(SOCK_SEQPACKET, 1);
    answer(SECCOMP_RET_USER_NOTIF);
  }
  answer(kEperm);
  answer(SECCOMP_RET_ALLOW);
}

void SystemCallFilter::refuse_typing() {
  unless_equal_skip(SYS_ioctl, 5);
  load_argument(1);
  if_equal_skip(TIOCSTI, 1);
  unless_equal_skip(TIOCLINUX, 1);
  answer(kEperm);
  answer(SECCOMP_RET_ALLOW);
}

Result<UniqueFd> SystemCallFilter::install() {
  answer(SECCOMP_RET_ALLOW);
  const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
  const unsigned long flags = asks_ ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  const long done = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (done < 0) return fail_errno("cannot install the filter of system calls");
  return asks_ ? UniqueFd(static_cast<int>(done)) : UniqueFd();
}

}  // namespace lilith::confine
