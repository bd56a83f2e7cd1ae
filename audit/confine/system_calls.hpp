#pragma once
// System calls refused by a filter of seccomp(2), for the calling thread and all that it starts.
// Written here and not by libseccomp, which can't compare one argument with several values, as the
// families of socket(2) want.

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <linux/filter.h>
#include <span>
#include <sys/syscall.h>
#include <vector>

namespace lilith::confine {

// Ways around any filter and any namespace.
// Doing input and output, sockets included, behind the filter's back.
inline constexpr std::array<long, 3> kUnseenIo{SYS_io_uring_setup, SYS_io_uring_enter,
                                               SYS_io_uring_register};
// Other processes' memory, descriptors and namespaces.
inline constexpr std::array<long, 5> kOtherProcesses{SYS_process_vm_readv, SYS_process_vm_writev,
                                                     SYS_pidfd_getfd, SYS_setns, SYS_kcmp};
// The kernel's own machinery.
inline constexpr std::array<long, 10> kKernel{
    SYS_bpf,    SYS_perf_event_open,   SYS_userfaultfd, SYS_add_key,     SYS_request_key,
    SYS_keyctl, SYS_open_by_handle_at, SYS_kexec_load,  SYS_init_module, SYS_finit_module};

// What is not refused is allowed. A refused call fails; only a call of another architecture can end
// the process.
class SystemCallFilter {
 public:
  enum class Foreign { kKill, kRefuse };
  explicit SystemCallFilter(Foreign foreign);

  void refuse(long number, int error = EPERM);
  void refuse(std::span<const long> numbers);
  // Where the low half of an argument has any of these bits.
  void refuse_bits(long number, std::size_t argument, std::uint32_t bits);
  // socket(2) of other families than these. With `packets_ask`, who wants a unix socket of packets
  // waits for whoever holds install()'s descriptor (seccomp_unotify(2)).
  void allow_sockets(std::span<const std::uint32_t> families, bool packets_ask = false);
  // ioctl(2): typing into the terminal that the process was started from.
  void refuse_typing();

  // Wants no_new_privs to be set. The descriptor is none where nobody asks.
  [[nodiscard]] Result<UniqueFd> install();

 private:
  void load(std::size_t offset);
  void load_argument(std::size_t index);
  void if_equal_skip(std::uint32_t value, std::size_t skip);
  void unless_equal_skip(std::uint32_t value, std::size_t skip);
  void unless_bit_skip(std::uint32_t bits, std::size_t skip);
  void answer(std::uint32_t action);

  std::vector<sock_filter> code_;
  bool asks_ = false;
};

}  // namespace lilith::confine
