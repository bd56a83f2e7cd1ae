#pragma once
// Hosts and URLs: one canonical value from every spelling, and the patterns of a policy. URL and
// IDNA by ada, which follows the WHATWG URL Standard (https://url.spec.whatwg.org/) and UTS 46.

#include "audit/base/result.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::rules {

struct CanonicalHost {
  std::string text;  // lower-case A-labels without the root dot, or an address without brackets
  bool is_address = false;
  std::array<std::uint8_t, 16>
      address{};  // IPv6; IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2)
};
// Refuses control bytes, spaces and / ? # @ \ % before anything else, and what is no host.
[[nodiscard]] Result<CanonicalHost> canonical_host(std::string_view host);

// The IPv4 address that an IPv6 one carries: NAT64 (RFC 6052), 6to4 (RFC 3056), IPv4-compatible
// (RFC 4291 section 2.5.5.1). A block entry for the one must hold for the other.
[[nodiscard]] std::optional<CanonicalHost> carried_ipv4(const CanonicalHost& host);

struct Destination {
  CanonicalHost host;
  int port = 0;
  std::string protocol;  // http https ws wss ssh tcp
  std::string url;       // serialised
};
// An absolute http, https, ws or wss URL. Refuses userinfo, backslashes, TAB, CR, LF and other
// control bytes.
[[nodiscard]] Result<Destination> parse_url(std::string_view url);
// The same, and every URL by ada. parse_url() reads by itself what plain_url() takes; tests and a
// fuzzer hold the two together.
[[nodiscard]] Result<Destination> parse_url_with_ada(std::string_view url);

// A URL that is its own serialisation and that every reader reads alike: a lower-case scheme of the
// four, a lower-case name without A-labels and without a number at its end, no port, no userinfo,
// a path that begins with '/' and has no component that begins with a dot, perhaps a query, and
// nothing that is ever escaped or dropped. Views of `url`; nullopt: ask parse_url().
struct PlainUrl {
  std::string_view protocol, host;
  int port = 0;  // the scheme's
};
[[nodiscard]] std::optional<PlainUrl> plain_url(std::string_view url);

[[nodiscard]] int default_port(std::string_view protocol);  // 0: none
[[nodiscard]] bool is_protocol(std::string_view protocol);

// "api.example.com", "*.example.com" (one or more labels, never the apex), an address, or a CIDR
// block.
class HostPattern {
 public:
  [[nodiscard]] static Result<HostPattern> parse(std::string_view text);
  [[nodiscard]] bool matches(const CanonicalHost& host) const;

  enum class Kind { kExact, kSuffix, kAddress };
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] const std::string& name() const { return name_; }  // kExact, kSuffix: without "*."
  // kAddress: 128 for a single address, less for a block; IPv4 counts from ::ffff:0:0/96.
  [[nodiscard]] int prefix_bits() const { return prefix_bits_; }
  // kAddress: equal for `address` and the pattern when the pattern matches it.
  [[nodiscard]] static std::string prefix_of(const std::array<std::uint8_t, 16>& address, int bits);
  [[nodiscard]] std::string prefix() const { return prefix_of(address_, prefix_bits_); }

 private:
  Kind kind_ = Kind::kExact;
  std::string name_;
  std::array<std::uint8_t, 16> address_{};
  int prefix_bits_ = 128;
};

}  // namespace lilith::rules
