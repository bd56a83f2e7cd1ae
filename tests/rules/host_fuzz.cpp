// What a tool call or a proxy client could put in place of a host or a URL: never a crash, and a
// host that is accepted is canonical, so that it is matched as what will be dialled.

#include "rules/host.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto host = lilith::rules::canonical_host(text)) {
    const auto again = lilith::rules::canonical_host(host->text);
    if (!again || again->text != host->text || again->address != host->address) std::abort();
    for (const char c : host->text) {
      if (c <= 0x20 || c >= 0x7F) std::abort();
    }
  }
  if (const auto url = lilith::rules::parse_url(text)) {
    const auto again = lilith::rules::parse_url(url->url);
    if (!again || again->host.text != url->host.text || again->port != url->port) std::abort();
  }
  if (const auto plain = lilith::rules::plain_url(text)) {
    const auto url = lilith::rules::parse_url_with_ada(text);
    if (!url || url->url != text || url->host.text != plain->host || url->host.is_address ||
        url->port != plain->port || url->protocol != plain->protocol) {
      std::abort();
    }
  }
  if (const auto pattern = lilith::rules::HostPattern::parse(text)) {
    if (const auto host = lilith::rules::canonical_host(text); host && !pattern->matches(*host))
      std::abort();
  }
  return 0;
}
