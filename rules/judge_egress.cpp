#include "audit/base/text.hpp"
#include "rules/judge.hpp"

#include <algorithm>
#include <charconv>

namespace lilith::rules {
namespace {

// Does this command send data along with its request? curl(1), wget(1).
bool sends_body(const CommandUse& use) {
  const bool is_curl = use.name == "curl";
  if (!is_curl && use.name != "wget") return false;
  constexpr std::array<std::string_view, 4> kCurl{"--data", "--form", "--json", "--upload-file"};
  constexpr std::array<std::string_view, 2> kWget{"--post-", "--body-"};
  const auto among = [](std::string_view word, const auto& options) {
    return std::any_of(options.begin(), options.end(),
                       [word](std::string_view option) { return word.starts_with(option); });
  };
  return std::any_of(use.argv.begin() + 1, use.argv.end(), [&](const Argument& argument) {
    const std::string_view word = argument.text;
    if (!is_curl || word.starts_with("--"))
      return is_curl ? among(word, kCurl) : among(word, kWget);
    if (!word.starts_with('-')) return false;
    // A bundle ends at the first option that takes a value: -sd@x, but not -odata.
    const std::size_t end = word.find_first_of("AbcCDdeEFhHKmoPQrtTuUwxXyYz");
    return end != std::string_view::npos &&
           std::string_view("dFT").find(word[end]) != std::string_view::npos;
  });
}

// RFC 1918, RFC 4193 and RFC 6598, for `private: false`.
bool is_private(const CanonicalHost& host) {
  static const std::vector<HostPattern> kPrivate = [] {
    std::vector<HostPattern> out;
    for (const char* block :
         {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}) {
      if (auto pattern = HostPattern::parse(block)) out.push_back(*pattern);
    }
    return out;
  }();
  return std::any_of(kPrivate.begin(), kPrivate.end(),
                     [&](const HostPattern& pattern) { return pattern.matches(host); });
}

// "ssh://HOST:PORT" and "tcp://HOST:PORT", as the proxy names what a tunnel carries: the URL
// Standard has no such schemes, so nothing but an authority with its port is taken for one.
std::optional<HostUse> tunnel_of(std::string_view url) {
  for (const std::string_view protocol : {"ssh", "tcp"}) {
    if (!url.starts_with(protocol) || !url.substr(protocol.size()).starts_with("://")) continue;
    const std::string_view authority = url.substr(protocol.size() + 3);
    const std::size_t colon = authority.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    HostUse use;
    const std::string_view port = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), use.port);
    if (error != std::errc{} || end != port.data() + port.size() || use.port < 1 ||
        use.port > 65535 || authority.find_first_of("@/?#") != std::string_view::npos) {
      return std::nullopt;
    }
    use.host = authority.substr(0, colon);
    use.protocol = protocol;
    use.url = url;
    return use;
  }
  return std::nullopt;
}

}  // namespace

Judged& Judge::egress_denied(const OperationView* op, std::string_view code) {
  Judged one;
  one.deny = true;
  one.is_egress = true;
  one.kind = OperationKind::kEgress;
  one.section = "egress";
  one.line = p_.egress.line;
  one.code = code;
  const auto& commands = analysis_.command.commands;
  const bool web = op->protocol == "http" || op->protocol == "https";
  one.technique =
      web && std::any_of(commands.begin(), commands.end(), sends_body) ? "T1071.001" : "T1048";
  one.operation = op;
  one.tell = [](const Judged& j, std::string_view, Sentence& out) { out += j.said; };
  return add(one);
}

// The block entry that closes the host or the IPv4 address that it carries; one with always_block
// where there is one.
const HostEntry* Judge::closing(const HostKey& host, const HostKey* carried,
                                const OperationView& op) const {
  const HostList& blocked = p_.egress.blocked;
  const HostEntry* closed = blocked.find(host, op.port, op.protocol);
  if (carried == nullptr || (closed != nullptr && closed->entry.always_block)) return closed;
  const HostEntry* inner = blocked.find(*carried, op.port, op.protocol);
  return closed == nullptr || (inner != nullptr && inner->entry.always_block) ? inner : closed;
}

// op->host says the same as `host`.
void Judge::judge_host(const HostKey& host, OperationView* op) {
  const EgressSection& egress = p_.egress;
  op->kind = OperationKind::kEgress;
  if (egress.line == 0) {
    egress_denied(op, "egress.no_section").tell = [](const Judged& j, std::string_view,
                                                     Sentence& out) {
      tell_of(out, "the policy has no egress section, so host ", j.operation->host, " is denied");
    };
    return;
  }
  std::optional<CanonicalHost> inner;
  std::optional<HostKey> carried;
  if (host.address() != nullptr) inner = carried_ipv4(*host.address());
  if (inner) carried.emplace(*inner, texts_);
  const HostEntry* closed = closing(host, carried ? &*carried : nullptr, *op);
  if (closed == nullptr) note("egress", {}, "blocked_destinations", egress.blocked.line, false);
  if (closed != nullptr) {
    note("egress", {}, "blocked_destinations", closed->entry.line, true, closed->entry.text);
    Judged& one = egress_denied(op, "egress.blocked");
    one.list = "blocked_destinations";
    one.entry = closed->entry.text;
    one.line = closed->entry.line;
    one.always_block = closed->entry.always_block;
    one.tell = [](const Judged& j, std::string_view by, Sentence& out) {
      tell_of(out, "host ", j.operation->host, " is blocked by ", by);
    };
    return;
  }
  const bool is_refused = !egress.private_addresses && host.address() != nullptr &&
                          (is_private(*host.address()) || (inner && is_private(*inner)));
  note("egress", {}, "private", egress.private_line, is_refused);
  if (is_refused) {
    Judged& one = egress_denied(op, "egress.private");
    one.list = "private";
    one.line = egress.private_line;
    one.tell = [](const Judged& j, std::string_view, Sentence& out) {
      tell_of(out, "host ", j.operation->host,
              " is a private address, refused by egress.private: false");
    };
    return;
  }
  judge_host_allow(host, op);
}

// What no block entry closes: the allow list, and then the section's default.
void Judge::judge_host_allow(const HostKey& host, const OperationView* op) {
  const EgressSection& egress = p_.egress;
  Judged one;
  one.is_egress = true;
  one.kind = OperationKind::kEgress;
  one.section = "egress";
  one.operation = op;
  if (const HostEntry* entry = egress.allowed.find(host, op->port, op->protocol)) {
    one.list = "allowed_destinations";
    one.entry = entry->entry.text;
    one.line = entry->entry.line;
    note("egress", {}, one.list, one.line, true, one.entry);
    add(one);
    return;
  }
  note("egress", {}, "allowed_destinations", egress.allowed.line, false);
  note("egress", {}, "default_action", egress.default_line, true);
  if (egress.default_action == DefaultAction::kAllow) {
    one.list = "default_action";
    one.line = egress.default_line;
    add(one);
    return;
  }
  const HostEntry* near = egress.allowed.find_host(host);
  Judged& denied =
      egress_denied(op, near == nullptr ? "egress.not_listed" : "egress.port_or_protocol");
  denied.list = "default_action";
  denied.line = near == nullptr ? egress.default_line : near->entry.line;
  denied.tell = near == nullptr ? +[](const Judged& j, std::string_view, Sentence& out) {
    tell_of(out, "host ", j.operation->host, " is not in egress.allowed_destinations");
  } : +[](const Judged& j, std::string_view, Sentence& out) {
    tell_of(out, "host ", j.operation->host, " is listed, but not with ");
    out += j.operation->protocol;
    out += " on port ";
    out += std::to_string(j.operation->port);
  };
}

void Judge::judge_url(std::string_view url) {
  auto* op = texts_.make<OperationView>();
  if (const auto plain = plain_url(url)) {
    op->port = plain->port;
    op->protocol = plain->protocol;
    op->host = plain->host;
    op->url = url;
    return judge_host(HostKey(plain->host, texts_), op);
  }
  if (const auto tunnel = tunnel_of(url)) return judge_host_use(*tunnel);
  const auto destination = parse_url_with_ada(url);
  if (!destination) {
    op->kind = OperationKind::kEgress;
    op->url = url;
    egress_denied(op, "egress.bad_url").said = texts_.copy(destination.error().message);
    return;
  }
  op->port = destination->port;
  op->protocol = texts_.copy(destination->protocol);
  op->url = texts_.copy(destination->url);
  op->host = texts_.copy(destination->host.text);
  judge_host(HostKey(destination->host, texts_), op);
}

void Judge::judge_host_use(const HostUse& use) {
  auto* op = texts_.make<OperationView>();
  op->kind = OperationKind::kEgress;
  op->port = use.port;
  op->protocol = texts_.copy(use.protocol);
  op->url = texts_.copy(use.url);
  const auto host = canonical_host(use.host);
  if (host) {
    op->host = texts_.copy(host->text);
    return judge_host(HostKey(*host, texts_), op);
  }
  op->host = texts_.copy(use.host);
  egress_denied(op, "egress.bad_host").said = texts_.copy(host.error().message);
}

}  // namespace lilith::rules
