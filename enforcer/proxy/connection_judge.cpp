#include "enforcer/proxy/connection_judge.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace lilith::enforcer::proxy {
namespace {

using rules::CanonicalHost;
using rules::Decision;

// What a tunnel may carry, the strictest first. http and ws are not tunnelled: what is asked for in
// them could change from request to request.
constexpr std::array<std::string_view, 4> kTunnelled{"https", "wss", "ssh", "tcp"};
constexpr std::string_view kDefaultRule = "egress.default_action";

class SystemResolver final : public Resolver {
 public:
  Result<std::vector<CanonicalHost>> resolve(const std::string& host) override {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host.c_str(), nullptr, &wanted, &list);
    if (error != 0) {
      return fail(ErrorCode::kUnavailable, "host '" + host + "': " + ::gai_strerror(error));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
    std::vector<CanonicalHost> out;
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
      std::array<char, NI_MAXHOST> text{};
      if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                        NI_NUMERICHOST) != 0) {
        continue;
      }
      // An address with a zone is refused here, as everywhere.
      auto address = rules::canonical_host(text.data());
      if (address && address->is_address) out.push_back(std::move(*address));
    }
    return out;
  }
};

std::string url_of(std::string_view protocol, const CanonicalHost& host, int port) {
  std::string url(protocol);
  url += "://" + authority_of(host, port);
  const bool standard = protocol != "ssh" && protocol != "tcp";
  return standard ? url + "/" : url;
}

GateCall egress_call(std::string url) {
  GateCall call;
  call.tool = "connect";
  call.call.kind = audit::OperationKind::kEgress;
  call.call.urls.push_back(std::move(url));
  return call;
}

bool denies(const Decision& decision) { return decision.verdict == audit::Verdict::kDeny; }

}  // namespace

Resolver& system_resolver() {
  static SystemResolver resolver;
  return resolver;
}

std::string authority_of(const CanonicalHost& host, int port) {
  const bool bracket = host.text.find(':') != std::string::npos;
  return (bracket ? "[" + host.text + "]" : host.text) + ":" + std::to_string(port);
}

GateCall ConnectionJudge::gate_call(const Judgement& judgement, const RequestHead& head,
                                    const std::string& peer) const {
  GateCall call = egress_call(judgement.url);
  call.tool = head.is_connect ? "CONNECT" : printable(utf8_prefix(head.method, 32));
  call.hook = "proxy";
  call.detail.emplace_back("peer", peer);
  return call;
}

// The first protocol that the policy allows, and that no other entry for the same bytes blocks.
// None: the one that is usual on that port, for the reason.
std::string ConnectionJudge::protocol_of_tunnel(const RequestHead& head) const {
  std::string allowed;
  for (const std::string_view protocol : kTunnelled) {
    const Decision decision = gate_.ask(egress_call(url_of(protocol, head.host, head.port)));
    // Anything can be sent as plain bytes, also what is blocked under its own name.
    if (protocol != "tcp" && !denies(decision)) return std::string(protocol);
    if (decision.reason_code == "egress.blocked") return std::string(protocol);
    if (!denies(decision)) allowed = protocol;
  }
  if (allowed.empty()) return head.port == rules::default_port("ssh") ? "ssh" : "https";
  return allowed;
}

bool ConnectionJudge::closes(const CanonicalHost& address, Judgement& judgement,
                             audit::Call& call) const {
  std::string url = url_of(judgement.protocol, address, judgement.port);
  const Decision decision = gate_.ask(egress_call(url));
  const std::string_view special = guard_.why_special(address);
  const bool by_rule =
      decision.reason_code == "egress.blocked" || decision.reason_code == "egress.private";
  const bool itself = address.text == judgement.host;
  if (denies(decision) && (by_rule || !special.empty())) {
    if (!itself) call.urls.push_back(std::move(url));
    return true;
  }
  if (special.empty() || denies(decision) || decision.rule != kDefaultRule) return false;
  call.undecidable = "host '" + judgement.host + "' leads to " + address.text +
                     ", an address that is " + std::string(special) +
                     " and needs an entry of its own";
  return true;
}

Judgement ConnectionJudge::judge(const RequestHead& head, const std::string& peer) {
  gate_.refresh();
  Judgement judgement;
  judgement.host = head.host.text;
  judgement.port = head.port;
  judgement.protocol = head.is_connect ? protocol_of_tunnel(head) : "http";
  judgement.url = head.is_connect ? url_of(judgement.protocol, head.host, head.port) : head.url;
  GateCall call = gate_call(judgement, head, peer);
  return settle(std::move(judgement), std::move(call), head.host);
}

Judgement ConnectionJudge::judge_destination(const rules::Destination& to, GateCall call,
                                             bool looks_up) {
  gate_.refresh();
  Judgement judgement;
  judgement.host = to.host.text;
  judgement.port = to.port;
  judgement.protocol = to.protocol;
  judgement.url = url_of(to.protocol, to.host, to.port);
  call.call.kind = audit::OperationKind::kEgress;
  call.call.urls = {judgement.url};
  if (looks_up) return settle(std::move(judgement), std::move(call), to.host);
  judgement.outcome = gate_.decide(std::move(call));
  return judgement;
}

Judgement ConnectionJudge::settle(Judgement judgement, GateCall call, const CanonicalHost& host) {
  // A name that is denied is not even looked up: a look-up is a message to somebody, too.
  if (gate_.policy() == nullptr || gate_.ask(call).action == audit::Action::kDenied) {
    judgement.outcome = gate_.decide(std::move(call));
    return judgement;
  }
  std::vector<CanonicalHost> all;
  if (host.is_address) {
    all.push_back(host);
  } else if (auto found = resolver_.resolve(host.text)) {
    all = std::move(*found);
    if (all.empty()) judgement.resolve_error = "host '" + judgement.host + "' has no address";
  } else {
    judgement.resolve_error = found.error().message;
  }
  if (all.size() > limits::kProxyAddressesMax) all.resize(limits::kProxyAddressesMax);
  audit::Call closing = call.call;
  for (const CanonicalHost& address : all) {
    if (!closes(address, judgement, closing)) judgement.addresses.push_back(address);
  }
  if (judgement.addresses.empty() && !all.empty()) {
    call.call = std::move(closing);
    judgement.addresses = std::move(all);  // audit mode lets it through
  }
  std::string dialled;
  for (const CanonicalHost& address : judgement.addresses) {
    dialled += (dialled.empty() ? "" : " ") + address.text;
  }
  if (!dialled.empty() && !host.is_address) call.detail.emplace_back("addresses", dialled);
  if (!judgement.resolve_error.empty()) {
    call.detail.emplace_back("unresolved", judgement.resolve_error);
  }
  judgement.outcome = gate_.decide(std::move(call));
  return judgement;
}

Judgement ConnectionJudge::judge_bad_request(const BadRequest& bad, const std::string& peer) {
  GateCall call;
  call.tool = "proxy";
  call.hook = "proxy";
  call.call.kind = audit::OperationKind::kEgress;
  call.call.undecidable = bad.why;
  call.detail.emplace_back("peer", peer);
  Judgement judgement;
  judgement.outcome = gate_.decide(std::move(call));
  judgement.outcome.allowed = false;
  judgement.outcome.reason = bad.why;
  judgement.bad_request_status = bad.status;
  return judgement;
}

Outcome ConnectionJudge::judge_hello(const Judgement& judgement, const HelloPeek& peek,
                                     const std::string& peer) {
  Outcome agreed;
  agreed.allowed = true;
  agreed.action = audit::Action::kAllowed;
  std::string why;
  const std::string& name = peek.hello.server_name;
  const auto host = rules::canonical_host(judgement.host);
  const bool is_address = host && host->is_address;
  if (peek.state != HelloState::kWhole) {
    why = "the tunnel does not begin with a TLS client hello";
  } else if (name.empty()) {
    // RFC 6066 section 3: an address is not sent as a server name.
    if (!is_address) why = "the TLS client hello names no server";
  } else if (const auto asked = rules::canonical_host(name);
             !asked || asked->text != judgement.host) {
    why = "the TLS client hello asks for '" + name + "' and not for '" + judgement.host + "'";
  }
  if (why.empty()) return agreed;
  GateCall call = egress_call(judgement.url);
  call.tool = "CONNECT";
  call.hook = "tls";
  call.call.undecidable = why;
  call.detail.emplace_back("peer", peer);
  if (!name.empty()) call.detail.emplace_back("server_name", name);
  return gate_.decide(std::move(call));
}

}  // namespace lilith::enforcer::proxy
