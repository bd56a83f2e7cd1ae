#pragma once
// An MCP server over HTTP: whether the policy lets us speak to it, and the program that does.

#include "audit/base/result.hpp"
#include "enforcer/gate.hpp"

#include <string>
#include <vector>

namespace lilith::enforcer::mcp {

struct Upstream {
  std::string url;                   // http or https
  std::vector<std::string> headers;  // as http_headers.hpp reads them
  std::string proxy;                 // URL of a forward proxy, which then looks the name up
  std::string ca;                    // file of certificates
};

struct JudgedUpstream {
  std::vector<std::string> command;  // the program and its arguments: no addresses but the judged
  std::string url;                   // scheme, host and port: what was decided on
};

// Decides, as egress, and records. kInvalidInput: the URL is none; denied: the message is the
// reason. kUnavailable: the name has no address. kNotFound: the program is not installed.
[[nodiscard]] Result<JudgedUpstream> judge_upstream(Gate& gate, const std::string& server,
                                                    const Upstream& upstream);

}  // namespace lilith::enforcer::mcp
