#pragma once
// Addresses that a name should not lead to: the machine itself, and services that answer anyone who
// can reach them (cloud metadata). A policy that means them lists them as addresses.

#include "rules/host.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lilith::enforcer::proxy {

using AddressBytes = std::array<std::uint8_t, 16>;  // IPv4 as ::ffff:a.b.c.d

class AddressGuard {
 public:
  // `own`: addresses of this machine's interfaces.
  explicit AddressGuard(std::vector<AddressBytes> own) : own_(std::move(own)) {}
  // With the interfaces that the machine has now.
  [[nodiscard]] static AddressGuard of_this_machine();

  // Why the address is special ("loopback", "link-local", ...), also where an IPv6 address carries
  // such an IPv4 one; empty when it is not.
  [[nodiscard]] std::string_view why_special(const rules::CanonicalHost& address) const;

 private:
  [[nodiscard]] std::string_view why(const AddressBytes& address) const;
  std::vector<AddressBytes> own_;
};

}  // namespace lilith::enforcer::proxy
