#include "audit/confine/capabilities.hpp"

#include <array>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lilith::confine {
namespace {

constexpr unsigned kHalf = 32;
using Sets = std::array<__user_cap_data_struct, 2>;

constexpr Capabilities bit(int capability) {
  return Capabilities{1} << static_cast<unsigned>(capability);
}

// Whoever lacks CAP_SETPCAP can't change the bounding set; no_new_privs does as much for it.
Result<void> bound(Capabilities keep) {
  for (int capability = 0; capability < static_cast<int>(2 * kHalf); ++capability) {
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) return {};  // this kernel's last one
    if ((keep & bit(capability)) == 0 && ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      return fail_errno("cannot drop a capability");
    }
  }
  return {};
}

}  // namespace

Result<Capabilities> keep_capabilities(Capabilities keep) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Sets sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) {
    return fail_errno("cannot see which capabilities there are");
  }
  const Capabilities had = sets[0].permitted | Capabilities{sets[1].permitted} << kHalf;
  const Capabilities left = had & keep;
  if ((had & bit(CAP_SETPCAP)) != 0) {
    if (auto bounded = bound(keep); !bounded) return pass_error(bounded);
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // Whoever has none needs no call, which filters of service managers like to refuse.
  if (had == 0 && (sets[0].inheritable | sets[1].inheritable) == 0) return left;
  const auto low = static_cast<std::uint32_t>(left),
             high = static_cast<std::uint32_t>(left >> kHalf);
  sets[0] = {.effective = low, .permitted = low, .inheritable = 0};
  sets[1] = {.effective = high, .permitted = high, .inheritable = 0};
  if (::syscall(SYS_capset, &header, sets.data()) != 0) {
    return fail_errno("cannot give up capabilities");
  }
  return left;
}

Result<void> forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("cannot set no_new_privs");
  return {};
}

}  // namespace lilith::confine
