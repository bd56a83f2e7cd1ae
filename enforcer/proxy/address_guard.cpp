#include "enforcer/proxy/address_guard.hpp"

#include <algorithm>
#include <cstring>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace lilith::enforcer::proxy {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

struct Block {
  AddressBytes address;
  int bits;  // of 128
  std::string_view why;
};
constexpr AddressBytes v4(std::uint8_t a, std::uint8_t b = 0, std::uint8_t c = 0,
                          std::uint8_t d = 0) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d};
}
constexpr AddressBytes v6(std::uint8_t a, std::uint8_t b = 0, std::uint8_t c = 0,
                          std::uint8_t d = 0, std::uint8_t last = 0, std::uint8_t before = 0) {
  return {a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, before, last};
}
// RFC 6890's registry, and the metadata services of the large clouds.
constexpr std::array kBlocks{
    Block{v4(127), 104, "loopback"},
    Block{v4(0), 104, "unspecified"},
    Block{v4(169, 254), 112, "link-local"},
    Block{v4(224), 100, "multicast"},
    Block{v4(240), 100, "reserved"},
    Block{v4(100, 100, 100, 200), 128, "cloud metadata"},  // Alibaba Cloud
    Block{v4(168, 63, 129, 16), 128, "cloud metadata"},    // Azure
    Block{v6(0, 0, 0, 0, 1), 128, "loopback"},
    Block{v6(0), 128, "unspecified"},
    Block{v6(0xFE, 0x80), 10, "link-local"},
    Block{v6(0xFE, 0xC0), 10, "site-local"},
    Block{v6(0xFF), 8, "multicast"},
    Block{v6(0xFD, 0x00, 0x0E, 0xC2), 32, "cloud metadata"},               // AWS
    Block{v6(0xFD, 0x20, 0x00, 0xCE, 0x54, 0x02), 128, "cloud metadata"},  // Google Cloud
};

bool within(const AddressBytes& address, const Block& block) {
  int bits = block.bits;
  for (std::size_t i = 0; i < address.size() && bits > 0; ++i, bits -= 8) {
    const int mask = bits >= 8 ? 0xFF : 0xFF << (8 - bits) & 0xFF;
    if ((address[i] & mask) != (block.address[i] & mask)) return false;
  }
  return true;
}

}  // namespace

AddressGuard AddressGuard::of_this_machine() {
  std::vector<AddressBytes> own;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return AddressGuard(std::move(own));
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    AddressBytes address{};
    if (one->ifa_addr->sa_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, one->ifa_addr, sizeof in);
      std::copy(kMapped.begin(), kMapped.end(), address.begin());
      std::memcpy(address.data() + kMapped.size(), &in.sin_addr, sizeof in.sin_addr);
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 in{};
      std::memcpy(&in, one->ifa_addr, sizeof in);
      std::memcpy(address.data(), &in.sin6_addr, address.size());
    } else {
      continue;
    }
    own.push_back(address);
  }
  ::freeifaddrs(list);
  return AddressGuard(std::move(own));
}

std::string_view AddressGuard::why(const AddressBytes& address) const {
  for (const Block& block : kBlocks) {
    if (within(address, block)) return block.why;
  }
  const bool is_own = std::find(own_.begin(), own_.end(), address) != own_.end();
  return is_own ? "of this machine" : "";
}

std::string_view AddressGuard::why_special(const rules::CanonicalHost& address) const {
  if (!address.is_address) return {};
  if (const std::string_view direct = why(address.address); !direct.empty()) return direct;
  const auto carried = rules::carried_ipv4(address);
  return carried ? why(carried->address) : std::string_view{};
}

}  // namespace lilith::enforcer::proxy
