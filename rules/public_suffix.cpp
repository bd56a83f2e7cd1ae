// The only unit that includes libpsl.

#include "rules/public_suffix.hpp"

#include <libpsl.h>

#include <algorithm>
#include <array>

namespace lilith::rules {
namespace {

struct SharedHost {
  std::string_view name, why;
};

// Each row with the provider's own description of the scheme.
constexpr std::array kSharedHosts{
    // docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html: path-style requests.
    SharedHost{"s3.amazonaws.com", "every S3 bucket of every customer is a path of it"},
    SharedHost{"amazonaws.com", "services and buckets of every AWS customer stand below it"},
    // cloud.google.com/storage/docs/request-endpoints
    SharedHost{"storage.googleapis.com", "every Cloud Storage bucket is a path of it"},
    // learn.microsoft.com/azure/storage/common/storage-account-overview: standard endpoints.
    SharedHost{"blob.core.windows.net",
               "the storage account of every Azure customer is a name in it"},
    SharedHost{"core.windows.net", "storage accounts of every Azure customer stand below it"},
    // docs.github.com/repositories: raw files of every repository, gists of every user.
    SharedHost{"githubusercontent.com", "it serves files of every GitHub user"},
    SharedHost{"raw.githubusercontent.com", "it serves files of every GitHub user"},
    SharedHost{"gist.githubusercontent.com", "it serves the gists of every GitHub user"},
    SharedHost{"gist.github.com", "every GitHub user can write to it"},
    // developers.cloudflare.com/r2/buckets/public-buckets
    SharedHost{"r2.cloudflarestorage.com", "buckets of every Cloudflare customer are names in it"},
    SharedHost{"trycloudflare.com", "it hands out tunnels to anyone, without an account"},
    // ngrok.com/docs: free domains.
    SharedHost{"ngrok.io", "it hands out tunnels to anyone"},
    SharedHost{"ngrok-free.app", "it hands out tunnels to anyone"},
    SharedHost{"hooks.slack.com", "every Slack workspace receives posts there"},
    SharedHost{"discord.com", "webhooks of every Discord server are paths of it"},
    SharedHost{"api.telegram.org", "every bot of every Telegram user receives posts there"},
    SharedHost{"pastebin.com", "anyone can read and write there"},
    SharedHost{"docs.google.com", "forms and documents of every Google user are paths of it"},
    SharedHost{"script.google.com", "scripts of every Google user run there"}};

}  // namespace

SuffixKind suffix_kind(std::string_view name) {
  const psl_ctx_t* list = psl_builtin();
  const std::string text(name);
  if (list == nullptr || text.empty()) return SuffixKind::kNone;
  if (psl_is_public_suffix2(list, text.c_str(), PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) == 1) {
    return SuffixKind::kRegistry;
  }
  if (psl_is_public_suffix2(list, text.c_str(), PSL_TYPE_PRIVATE | PSL_TYPE_NO_STAR_RULE) == 1) {
    return SuffixKind::kProvider;
  }
  return SuffixKind::kNone;
}

std::string_view shared_host(std::string_view name) {
  const auto* const found = std::find_if(kSharedHosts.begin(), kSharedHosts.end(),
                                         [&](const SharedHost& one) { return one.name == name; });
  return found == kSharedHosts.end() ? std::string_view() : found->why;
}

}  // namespace lilith::rules
