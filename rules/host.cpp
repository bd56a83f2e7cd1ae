#include "rules/host.hpp"

#include "audit/base/byte_set.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/redact.hpp"

#include <ada.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <tuple>

namespace lilith::rules {
namespace {

struct Protocol {
  std::string_view name;
  int port;
};
constexpr std::array<Protocol, 6> kProtocols{
    {{"https", 443}, {"http", 80}, {"wss", 443}, {"ws", 80}, {"ssh", 22}, {"tcp", 0}}};
constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

std::unexpected<Error> bad_host(std::string_view host, std::string_view why) {
  return fail(ErrorCode::kInvalidInput,
              "host '" + printable(host.substr(0, 100)) + "': " + std::string(why));
}

bool read_address(const std::string& text, std::array<std::uint8_t, 16>& out) {
  if (::inet_pton(AF_INET6, text.c_str(), out.data()) == 1) return true;
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, text.c_str(), four.data()) != 1) return false;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.begin());
  std::copy(four.begin(), four.end(), out.begin() + 12);
  return true;
}

std::string address_text(const std::array<std::uint8_t, 16>& address) {
  char buffer[INET6_ADDRSTRLEN];
  const bool mapped = std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
  const void* from = mapped ? address.data() + 12 : address.data();
  return ::inet_ntop(mapped ? AF_INET : AF_INET6, from, buffer, sizeof buffer) == nullptr ? ""
                                                                                          : buffer;
}

// xn-- in any case (RFC 5890 section 2.3.2.1).
bool is_a_label(std::string_view label) {
  return label.size() >= 4 && (label[0] == 'x' || label[0] == 'X') &&
         (label[1] == 'n' || label[1] == 'N') && label[2] == '-' && label[3] == '-';
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Whether a label was not written as what it is but in characters that UTS 46 maps to ASCII or
// drops (full-width letters, soft hyphens), or ends in a dot of its own. Nobody has such names, and
// a reader of RFC 3986 alone sees another host.
bool is_folded(std::string_view host) {
  if (is_ascii(host)) return false;
  for (const std::string_view dot : {"\u3002", "\uFF0E", "\uFF61"}) {
    if (host.find(dot) != std::string_view::npos) return true;
  }
  while (!host.empty()) {
    const std::string_view label = host.substr(0, host.find('.'));
    host.remove_prefix(std::min(label.size() + 1, host.size()));
    if (is_ascii(label)) continue;
    std::u32string characters(ada::idna::utf32_length_from_utf8(label.data(), label.size()), 0);
    ada::idna::utf8_to_utf32(label.data(), label.size(), characters.data());
    const std::u32string mapped = ada::idna::map(characters);
    if (std::all_of(mapped.begin(), mapped.end(), [](char32_t c) { return c < 0x80; })) return true;
  }
  return false;
}

// From the host that the URL parser gave back.
Result<CanonicalHost> from_parsed(std::string_view given, std::string_view parsed) {
  if (is_folded(given)) return bad_host(given, "has characters that stand for others");
  CanonicalHost host;
  host.text = parsed;
  if (host.text.starts_with('[') && host.text.ends_with(']')) {
    host.text = host.text.substr(1, host.text.size() - 2);
  }
  if (host.text.ends_with('.')) host.text.pop_back();
  if (host.text.empty()) return bad_host(given, "is empty");
  if (host.text.size() > limits::kHostBytesMax) return bad_host(given, "is longer than 253 bytes");
  if (read_address(host.text, host.address)) {
    host.is_address = true;
    host.text = address_text(host.address);
    return host;
  }
  std::string_view rest = host.text;
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty()) return bad_host(given, "has an empty label");
    if (label.size() > limits::kHostLabelBytesMax) {
      return bad_host(given, "has a label of more than 63 bytes");
    }
    if (dot == std::string_view::npos) return host;
    rest.remove_prefix(dot + 1);
  }
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// What the bytes of a plain name may be.
enum class NameByte : std::uint8_t { kNone, kSmall, kCapital, kDot };
constexpr std::array<NameByte, 256> kNameBytes = [] {
  std::array<NameByte, 256> out{};
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789-_")) {
    out[static_cast<unsigned char>(c)] = NameByte::kSmall;
  }
  for (char c = 'A'; c <= 'Z'; ++c) out[static_cast<unsigned char>(c)] = NameByte::kCapital;
  out[static_cast<unsigned char>('.')] = NameByte::kDot;
  return out;
}();
bool is_plain_label(std::string_view label) {
  return !label.empty() && label.size() <= limits::kHostLabelBytesMax && !is_a_label(label);
}

// A name that every reader reads alike: ASCII letters, digits, '-', '_' and single dots, no A-label
// whose Unicode form would have to be checked, and no number at its end, which makes an address
// (URL Standard 3.5). Of such a name the URL parser makes its lower case and nothing else; a test
// holds the two together.
struct PlainName {
  std::size_t size =
      0;  // of the name at the beginning of a text, its root dot included; 0: no name
  bool has_capital = false;
  bool has_root_dot = false;
};
PlainName plain_name_at(std::string_view text) {
  PlainName out;
  std::size_t at = 0, label = 0, last = 0;  // `last`: where the last label begins
  for (; at < text.size(); ++at) {
    const NameByte byte = kNameBytes[static_cast<unsigned char>(text[at])];
    if (byte == NameByte::kSmall) continue;
    if (byte == NameByte::kNone) break;
    if (byte == NameByte::kCapital) {
      out.has_capital = true;
      continue;
    }
    if (!is_plain_label(text.substr(label, at - label))) return {};
    last = label;
    label = at + 1;
  }
  if (at == 0) return {};
  out.has_root_dot = label == at;
  if (!out.has_root_dot) {
    if (!is_plain_label(text.substr(label, at - label))) return {};
    last = label;
  }
  const std::size_t name = out.has_root_dot ? at - 1 : at;
  if (name > limits::kHostBytesMax || !is_letter(text[last])) return {};
  out.size = at;
  return out;
}
bool is_plain_name(std::string_view text) {
  return !text.empty() && plain_name_at(text).size == text.size();
}

// What no state of the URL parser behind the host escapes or drops, or reads as another part's
// beginning (URL Standard 1.3 and 4.4): '%', '#', '\\', quotes and brackets are not among them.
constexpr ByteSet kPlainUrlBytes(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/?=&+,;:@!$()*");

// Between "//" and the next part (RFC 3986 section 3.2); empty: there is none.
std::string_view authority_of(std::string_view url) {
  const std::size_t colon = url.find(':');
  if (colon == std::string_view::npos || !url.substr(colon + 1).starts_with("//")) return {};
  const std::string_view rest = url.substr(colon + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

}  // namespace

int default_port(std::string_view protocol) {
  for (const Protocol& row : kProtocols) {
    if (row.name == protocol) return row.port;
  }
  return 0;
}

bool is_protocol(std::string_view protocol) {
  return std::any_of(kProtocols.begin(), kProtocols.end(),
                     [&](const Protocol& row) { return row.name == protocol; });
}

Result<CanonicalHost> canonical_host(std::string_view host) {
  // Nearly all are; such a name has none of the bytes that are refused below.
  if (is_plain_name(host)) {
    CanonicalHost plain;
    plain.text = ascii_lower(host);
    if (plain.text.ends_with('.')) plain.text.pop_back();
    return plain;
  }
  if (host.empty()) return bad_host(host, "is empty");
  if (has_control(host) || host.find_first_of("/?#@\\% ,*<>^|") != std::string_view::npos) {
    return bad_host(host, "has a character that no host has");
  }
  std::string address(host);
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  if (address.find(':') != std::string::npos) {
    CanonicalHost canonical;
    if (::inet_pton(AF_INET6, address.c_str(), canonical.address.data()) != 1) {
      return bad_host(host, "is no IPv6 address (RFC 4291), and a host has no colon");
    }
    canonical.is_address = true;
    canonical.text = address_text(canonical.address);
    return canonical;
  }
  if (address.find_first_of("[]") != std::string::npos) return bad_host(host, "has a bracket");
  const auto url = ada::parse<ada::url_aggregator>("https://" + address + "/");
  if (!url || url->get_hostname().empty()) {
    return bad_host(host, "is no host by the URL Standard");
  }
  return from_parsed(host, url->get_hostname());
}

std::optional<CanonicalHost> carried_ipv4(const CanonicalHost& host) {
  if (!host.is_address) return std::nullopt;
  constexpr std::array<std::uint8_t, 12> kNat64{0, 0x64, 0xFF, 0x9B};
  constexpr std::array<std::uint8_t, 12> kCompatible{};
  const auto starts = [&host](const std::array<std::uint8_t, 12>& prefix) {
    return std::equal(prefix.begin(), prefix.end(), host.address.begin());
  };
  std::size_t at = 12;
  if (host.address[0] == 0x20 && host.address[1] == 0x02) {
    at = 2;
  } else if (!starts(kNat64) && (!starts(kCompatible) || host.address[12] == 0)) {
    return std::nullopt;  // :: and ::1 are addresses of their own
  }
  CanonicalHost out;
  out.is_address = true;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.address.begin());
  std::copy_n(host.address.begin() + static_cast<std::ptrdiff_t>(at), 4, out.address.begin() + 12);
  out.text = address_text(out.address);
  return out;
}

std::optional<PlainUrl> plain_url(std::string_view url) {
  for (const Protocol& row : kProtocols) {
    if (!url.starts_with(row.name) || !url.substr(row.name.size()).starts_with("://")) continue;
    if (row.name == "ssh" || row.name == "tcp") return std::nullopt;
    const std::size_t from = row.name.size() + 3;
    const PlainName name = plain_name_at(url.substr(from));
    std::size_t at = from + name.size;
    if (name.size == 0 || name.has_capital || name.has_root_dot) return std::nullopt;
    if (at == url.size() || url[at] != '/') return std::nullopt;
    const std::string_view host = url.substr(from, name.size);
    for (bool slash = false; at < url.size(); ++at) {
      const char c = url[at];
      if (!kPlainUrlBytes.has(c) || (slash && c == '.')) return std::nullopt;
      slash = c == '/';
    }
    return PlainUrl{url.substr(0, row.name.size()), host, row.port};
  }
  return std::nullopt;
}

Result<Destination> parse_url(std::string_view text) {
  const auto plain = plain_url(text);
  if (!plain) return parse_url_with_ada(text);
  Destination destination;
  destination.host.text = plain->host;
  destination.port = plain->port;
  destination.protocol = plain->protocol;
  destination.url = text;
  return destination;
}

Result<Destination> parse_url_with_ada(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    std::string shown(text);  // whole: a secret that is cut has no shape any more
    std::ignore = audit::redact_text(shown);
    return fail(ErrorCode::kInvalidInput,
                "URL '" + printable(shown.substr(0, 200)) + "': " + std::string(why));
  };
  // The URL Standard drops some of these silently; two readers of such a URL may see two hosts.
  if (has_control(text)) return bad("has a control character");
  if (text.find('\\') != std::string_view::npos) return bad("has a backslash");
  if (!is_valid_utf8(text)) return bad("is not UTF-8");
  const auto url = ada::parse<ada::url_aggregator>(text);
  if (!url) return bad("is no absolute URL");
  const std::string_view authority = authority_of(text);
  Destination destination;
  const std::string_view scheme = url->get_protocol();
  destination.protocol = scheme.substr(0, scheme.size() - 1);
  if (destination.protocol != "http" && destination.protocol != "https" &&
      destination.protocol != "ws" && destination.protocol != "wss") {
    return bad("has a scheme other than http, https, ws and wss");
  }
  if (authority.find('@') != std::string_view::npos) return bad("has userinfo");
  // The URL Standard takes any number of slashes; for RFC 3986 the host is then in the path.
  if (authority.empty()) return bad("has no two slashes in front of its host");
  if (authority.find('%') != std::string_view::npos || is_folded(authority)) {
    return bad("has a host with characters that stand for others");
  }
  auto host = canonical_host(url->get_hostname());
  if (!host) return pass_error(host);
  destination.host = std::move(*host);
  destination.port = default_port(destination.protocol);
  if (const std::string_view port = url->get_port(); !port.empty()) {
    std::from_chars(port.data(), port.data() + port.size(), destination.port);
  }
  destination.url = url->get_href();
  return destination;
}

Result<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern pattern;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const std::string_view bits = text.substr(slash + 1);
    auto host = canonical_host(text.substr(0, slash));
    if (!host) return pass_error(host);
    if (!host->is_address) return bad_host(text, "has a slash and is no CIDR block");
    const int width = text.substr(0, slash).find(':') == std::string_view::npos ? 32 : 128;
    int prefix = -1;
    const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), prefix);
    if (error != std::errc{} || end != bits.data() + bits.size() || prefix < 0 || prefix > width) {
      return bad_host(text, "the prefix length must be 0-" + std::to_string(width));
    }
    pattern.kind_ = Kind::kAddress;
    pattern.address_ = host->address;
    pattern.prefix_bits_ = prefix + (128 - width);
    if (pattern.prefix() != prefix_of(host->address, 128).substr(0, pattern.prefix().size()) ||
        std::any_of(host->address.begin() + (pattern.prefix_bits_ + 7) / 8, host->address.end(),
                    [](std::uint8_t byte) { return byte != 0; })) {
      return bad_host(text, "has bits behind its prefix; they would not count");
    }
    return pattern;
  }
  const bool suffix = text.starts_with("*.");
  auto host = canonical_host(suffix ? text.substr(2) : text);
  if (!host) {
    host.error().message += "; a pattern is a name, '*.' and a name, an address or a CIDR block";
    return pass_error(host);
  }
  if (suffix && host->is_address) return bad_host(text, "'*.' cannot stand before an address");
  pattern.kind_ = suffix ? Kind::kSuffix : host->is_address ? Kind::kAddress : Kind::kExact;
  pattern.name_ = host->text;
  pattern.address_ = host->address;
  return pattern;
}

std::string HostPattern::prefix_of(const std::array<std::uint8_t, 16>& address, int bits) {
  std::string out;
  for (std::size_t i = 0; i < address.size() && bits > 0; ++i, bits -= 8) {
    const int mask = bits >= 8 ? 0xFF : 0xFF << (8 - bits) & 0xFF;
    out.push_back(static_cast<char>(address[i] & mask));
  }
  return out;
}

bool HostPattern::matches(const CanonicalHost& host) const {
  switch (kind_) {
    case Kind::kExact:
      return !host.is_address && host.text == name_;
    case Kind::kSuffix:
      return !host.is_address && host.text.size() > name_.size() + 1 &&
             host.text.ends_with(name_) && host.text[host.text.size() - name_.size() - 1] == '.';
    case Kind::kAddress:
      return host.is_address && prefix_of(host.address, prefix_bits_) == prefix();
  }
  return false;
}

}  // namespace lilith::rules
