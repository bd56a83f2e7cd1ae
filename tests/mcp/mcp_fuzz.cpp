// Both directions of a session from bytes that nobody vouches for: never a crash, every line for
// the client is whole, and what reaches the server is a message that we read ourselves.

#include "audit/base/clock.hpp"
#include "enforcer/mcp/raw_json.hpp"
#include "enforcer/mcp/session.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

using namespace lilith;

enforcer::Gate& gate() {
  // Without a policy: every call is denied, and no log is there to be written.
  static enforcer::Places places{"", "", "", "", "", "", ""};
  static enforcer::Gate one({}, system_clock(), rules::real_file_system(), {}, places, {}, "/");
  return one;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  enforcer::mcp::Pins pins("");
  enforcer::mcp::Session session(gate(), pins, {"demo", enforcer::mcp::PinMode::kDeny});
  // The first byte says where the client's part ends and in which pieces it comes.
  const std::size_t split = text.size() * data[0] / 255;
  const std::size_t step = 1 + data[0] % 17;
  const std::string_view client = text.substr(0, split), server = text.substr(split);
  for (std::size_t at = 0; at < client.size(); at += step) {
    session.from_client(client.substr(at, step));
  }
  std::string_view sent = session.to_server;
  while (!sent.empty()) {
    const std::size_t end = sent.find('\n');
    if (end == std::string_view::npos) std::abort();
    enforcer::mcp::FrameReader reader;
    const auto frame = reader.read(sent.substr(0, end));
    if (!frame) std::abort();
    for (const auto& message : frame->messages) {
      if (message.method == "tools/call" || message.method == "resources/read") std::abort();
    }
    sent.remove_prefix(end + 1);
  }
  for (std::size_t at = 0; at < server.size(); at += step) {
    session.from_server(server.substr(at, step));
  }
  session.end_of_client();
  return 0;
}
