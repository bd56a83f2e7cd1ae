#include "replay/host_suffix.hpp"

#include <algorithm>
#include <array>
#include <libpsl.h>
#include <memory>

namespace lilith::replay {
namespace {

struct Free {
  void operator()(psl_ctx_t* list) const { psl_free(list); }
};

// The newest list on this machine, else the one that libpsl was built with.
const psl_ctx_t* list() {
  static const std::unique_ptr<psl_ctx_t, Free> newest(psl_latest(nullptr));
  return newest ? newest.get() : psl_builtin();
}

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
  const std::string name(host);
  const bool address = name.find(':') != std::string::npos ||
                       name.find_first_not_of("0123456789.") == std::string::npos;
  if (address || name.find('.') == std::string::npos) return {};
  const char* domain = psl_registrable_domain(list(), name.c_str());
  return domain == nullptr ? std::string() : std::string(domain);
}

bool is_multi_tenant(std::string_view domain) {
  const std::string name(domain);
  if (psl_is_public_suffix2(list(), name.c_str(), PSL_TYPE_ANY) != 0) return true;
  // The domain itself, or a name above it.
  for (std::string_view rest = domain;;) {
    if (std::ranges::binary_search(kOverlay, rest)) return true;
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) return false;
    rest.remove_prefix(dot + 1);
  }
}

std::string suffix_list_version() {
  const char* file = psl_dist_filename();
  return std::string("libpsl ") + psl_get_version() +
         (file != nullptr && *file != '\0' ? std::string(", ") + file : std::string());
}

}  // namespace lilith::replay
