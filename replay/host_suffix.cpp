#include "replay/host_suffix.hpp"

#include "rules/public_suffix.hpp"

#include <algorithm>

namespace lilith::replay {
namespace {

// Not in Debian 12's list (20230209), or registrable there although their names belong to many:
// clouds, tunnels, request catchers, hosted pages.
constexpr std::string_view kOverlay[] = {
    "amazonaws.com",
    "appspot.com",
    "azure.com",
    "azurecontainerapps.io",
    "azureedge.net",
    "azurewebsites.net",
    "burpcollaborator.net",
    "cloudapp.net",
    "cloudfront.net",
    "devtunnels.ms",
    "firebaseapp.com",
    "firebaseio.com",
    "fly.dev",
    "gitbook.io",
    "github.dev",
    "githubusercontent.com",
    "gitpod.io",
    "glitch.me",
    "googleapis.com",
    "googleusercontent.com",
    "herokuapp.com",
    "hf.space",
    "hookdeck.com",
    "interact.sh",
    "loca.lt",
    "localhost.run",
    "netlify.app",
    "ngrok-free.app",
    "ngrok-free.dev",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "notion.site",
    "oast.fun",
    "oast.live",
    "oast.me",
    "oast.online",
    "oast.pro",
    "oast.site",
    "onrender.com",
    "pages.dev",
    "pastebin.com",
    "pipedream.com",
    "pipedream.net",
    "railway.app",
    "render.com",
    "repl.co",
    "replit.app",
    "replit.dev",
    "requestbin.com",
    "requestbin.net",
    "requestcatcher.com",
    "run.app",
    "serveo.net",
    "sharepoint.com",
    "supabase.co",
    "surge.sh",
    "transfer.sh",
    "trycloudflare.com",
    "vercel.app",
    "web.app",
    "webhook.site",
    "windows.net",
    "workers.dev",
};

}  // namespace

std::string registrable_domain(std::string_view host) {
  const bool address = host.find(':') != std::string_view::npos ||
                       host.find_first_not_of("0123456789.") == std::string_view::npos;
  if (address || rules::suffix_kind(host) != rules::SuffixKind::kNone) return {};
  // One label before the longest public suffix; a name that no rule knows has its last label as
  // one.
  for (std::string_view rest = host;;) {
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) return {};
    const std::string_view suffix = rest.substr(dot + 1);
    if (rules::suffix_kind(suffix) != rules::SuffixKind::kNone ||
        suffix.find('.') == std::string_view::npos)
      return std::string(rest);
    rest = suffix;
  }
}

bool is_multi_tenant(std::string_view domain) {
  if (rules::suffix_kind(domain) != rules::SuffixKind::kNone) return true;
  // The domain itself, or a name above it.
  for (std::string_view rest = domain;;) {
    if (std::ranges::binary_search(kOverlay, rest) || !rules::shared_host(rest).empty())
      return true;
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) return false;
    rest.remove_prefix(dot + 1);
  }
}

std::string suffix_list_version() { return "libpsl's built-in list, with an overlay"; }

}  // namespace lilith::replay
