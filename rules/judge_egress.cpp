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

void Judge::egress_denied(std::unique_ptr<Operation> op, std::string_view code,
                          std::string message) {
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
  one.operation = std::move(op);
  one.said = messages_.emplace_front(std::move(message));
  one.tell = [](const Judged& j, std::string_view) { return joined({j.said}, kPlaceBytes); };
  add(std::move(one));
}

void Judge::judge_host(const CanonicalHost& host, Operation named) {
  const EgressSection& egress = p_.egress;
  named.kind = OperationKind::kEgress;
  named.host = host.text;
  auto op = std::make_unique<Operation>(std::move(named));
  const int port = op->port;
  const std::string protocol = op->protocol;
  const auto who = [&host] { return "host '" + printable(host.text) + "'"; };
  if (egress.line == 0) {
    return egress_denied(std::move(op), "egress.no_section",
                         "the policy has no egress section, so " + who() + " is denied");
  }
  const auto carried = carried_ipv4(host);
  const HostEntry* closed = egress.blocked.find(host, port, protocol);
  if (carried && (closed == nullptr || !closed->entry.always_block)) {
    const HostEntry* inner = egress.blocked.find(*carried, port, protocol);
    if (closed == nullptr || (inner != nullptr && inner->entry.always_block)) closed = inner;
  }
  if (closed == nullptr) note("egress", {}, "blocked_destinations", egress.blocked.line, false);
  if (closed != nullptr) {
    note("egress", {}, "blocked_destinations", closed->entry.line, true, closed->entry.text);
    egress_denied(std::move(op), "egress.blocked", {});
    Judged& one = judged_.back();
    one.list = "blocked_destinations";
    one.entry = closed->entry.text;
    one.line = closed->entry.line;
    one.always_block = closed->entry.always_block;
    one.tell = [](const Judged& j, std::string_view by) {
      return tell_of("host ", j.operation->host, " is blocked by ", by);
    };
    return;
  }
  const bool is_refused =
      !egress.private_addresses && (is_private(host) || (carried && is_private(*carried)));
  note("egress", {}, "private", egress.private_line, is_refused);
  if (is_refused) {
    egress_denied(std::move(op), "egress.private",
                  who() + " is a private address, refused by egress.private: false");
    judged_.back().list = "private";
    judged_.back().line = egress.private_line;
    return;
  }
  judge_host_allow(host, std::move(op));
}

// What no block entry closes: the allow list, and then the section's default.
void Judge::judge_host_allow(const CanonicalHost& host, std::unique_ptr<Operation> op) {
  const EgressSection& egress = p_.egress;
  const int port = op->port;
  const std::string protocol = op->protocol;
  const auto who = [&host] { return "host '" + printable(host.text) + "'"; };
  Judged one;
  one.is_egress = true;
  one.kind = OperationKind::kEgress;
  one.section = "egress";
  if (const HostEntry* entry = egress.allowed.find(host, port, protocol)) {
    one.operation = std::move(op);
    one.list = "allowed_destinations";
    one.entry = entry->entry.text;
    one.line = entry->entry.line;
    note("egress", {}, one.list, one.line, true, one.entry);
    add(std::move(one));
    return;
  }
  note("egress", {}, "allowed_destinations", egress.allowed.line, false);
  note("egress", {}, "default_action", egress.default_line, true);
  if (egress.default_action == DefaultAction::kAllow) {
    one.operation = std::move(op);
    one.list = "default_action";
    one.line = egress.default_line;
    add(std::move(one));
    return;
  }
  const HostEntry* near = egress.allowed.find_host(host);
  if (near == nullptr) {
    egress_denied(std::move(op), "egress.not_listed",
                  who() + " is not in egress.allowed_destinations");
  } else {
    egress_denied(
        std::move(op), "egress.port_or_protocol",
        who() + " is listed, but not with " + protocol + " on port " + std::to_string(port));
  }
  judged_.back().list = "default_action";
  judged_.back().line = near == nullptr ? egress.default_line : near->entry.line;
}

void Judge::judge_url(const std::string& url) {
  if (const auto tunnel = tunnel_of(url)) return judge_host_use(*tunnel);
  auto destination = parse_url(url);
  if (!destination) {
    auto op = std::make_unique<Operation>();
    op->kind = OperationKind::kEgress;
    op->url = url;
    return egress_denied(std::move(op), "egress.bad_url", destination.error().message);
  }
  Operation op;
  op.port = destination->port;
  op.protocol = std::move(destination->protocol);
  op.url = std::move(destination->url);
  judge_host(destination->host, std::move(op));
}

void Judge::judge_host_use(const HostUse& use) {
  Operation op;
  op.kind = OperationKind::kEgress;
  op.port = use.port;
  op.protocol = use.protocol;
  op.url = use.url;
  const auto host = canonical_host(use.host);
  if (host) return judge_host(*host, std::move(op));
  op.host = use.host;
  egress_denied(std::make_unique<Operation>(std::move(op)), "egress.bad_host",
                host.error().message);
}

}  // namespace lilith::rules
