#include "enforcer/mcp/upstream.hpp"

#include "audit/base/text.hpp"
#include "enforcer/proxy/connection_judge.hpp"
#include "rules/host.hpp"

#include <filesystem>
#include <unistd.h>

namespace lilith::enforcer::mcp {
namespace {

constexpr const char* kProgram = "lilith-mcp-http";

// Beside this program.
std::string program_path() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / kProgram).string();
}

}  // namespace

Result<JudgedUpstream> judge_upstream(Gate& gate, const std::string& server,
                                      const Upstream& upstream) {
  const auto to = rules::parse_url(upstream.url);
  if (!to) return fail(ErrorCode::kInvalidInput, "--url: " + to.error().message);
  if (to->protocol != "http" && to->protocol != "https") {
    return fail(ErrorCode::kInvalidInput, "--url must begin with https:// or http://");
  }
  const std::string program = program_path();
  if (::access(program.c_str(), X_OK) != 0) {
    return fail(ErrorCode::kNotFound,
                "--url needs the program " + program + " (Debian package lilith-shipper)");
  }
  GateCall call;
  call.tool = "connect";
  call.server = server;
  call.hook = "mcp";
  proxy::ConnectionJudge judge(gate, proxy::system_resolver(),
                               proxy::AddressGuard::of_this_machine());
  const proxy::Judgement judgement =
      judge.judge_destination(*to, std::move(call), upstream.proxy.empty());
  if (!judgement.outcome.allowed) {
    return fail(ErrorCode::kInvalidInput, "denied: " + judgement.outcome.reason);
  }
  if (!judgement.resolve_error.empty()) {
    return fail(ErrorCode::kUnavailable, judgement.resolve_error);
  }
  JudgedUpstream out;
  out.url = judgement.url;
  out.command = {program, "--url", to->url};
  if (upstream.proxy.empty() && !to->host.is_address) {
    std::string addresses;
    for (const rules::CanonicalHost& address : judgement.addresses) {
      const bool brackets = address.text.find(':') != std::string::npos;
      addresses +=
          (addresses.empty() ? "" : ",") + (brackets ? "[" + address.text + "]" : address.text);
    }
    out.command.insert(
        out.command.end(),
        {"--resolve", to->host.text + ":" + std::to_string(to->port) + ":" + addresses});
  }
  if (!upstream.proxy.empty()) {
    out.command.insert(out.command.end(), {"--proxy", upstream.proxy});
  }
  if (!upstream.ca.empty()) out.command.insert(out.command.end(), {"--ca", upstream.ca});
  for (const std::string& header : upstream.headers) {
    out.command.insert(out.command.end(), {"--header", header});
  }
  return out;
}

}  // namespace lilith::enforcer::mcp
