// A request's head and a TLS client hello from bytes that nobody vouches for: never a crash, what
// is taken for a head is whole, and what is forwarded reads back as the same request.

#include "audit/base/limits.hpp"
#include "enforcer/proxy/client_hello.hpp"
#include "enforcer/proxy/http_head.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lilith::enforcer::proxy;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const HelloPeek peek = peek_client_hello(text);
  if (peek.state == HelloState::kWhole) {
    for (const char c : peek.hello.server_name) {
      if (c <= 0x20 || c >= 0x7F) std::abort();
    }
  }
  const auto head = read_head(text);
  if (!head || !*head) return 0;
  if ((*head)->head_bytes > size || (*head)->head_bytes > lilith::limits::kProxyHeadBytesMax) {
    std::abort();
  }
  BodyFollower body(**head);
  const std::string_view rest = text.substr((*head)->head_bytes);
  if (const auto mine = body.take(rest); mine && *mine > rest.size()) std::abort();
  if ((*head)->is_connect) return 0;
  const std::string forwarded = forwarded_head(**head);
  // One head: no line of it came from inside a value.
  if (forwarded.find("\r\n\r\n") != forwarded.size() - 4) std::abort();
  const std::string again =
      (*head)->method + " " + (*head)->url + forwarded.substr(forwarded.find(" HTTP/1.1\r\n"));
  if (again.size() > lilith::limits::kProxyHeadBytesMax) return 0;
  const auto second = read_head(again);
  if (!second || !*second || (*second)->host.text != (*head)->host.text ||
      (*second)->port != (*head)->port || (*second)->body != (*head)->body) {
    std::abort();
  }
  return 0;
}
