#pragma once
// Names below which anybody can have a name of their own. By libpsl and its list, so this room is
// linked by `lilith policy` and never by a hook.

#include <string>
#include <string_view>

namespace lilith::rules {

enum class SuffixKind {
  kNone,      // one owner
  kRegistry,  // a registry sells the names below it: com, co.uk
  kProvider,  // a provider hands out the names below it: github.io
};
// `name` in lower-case A-labels, as HostPattern::name().
[[nodiscard]] SuffixKind suffix_kind(std::string_view name);

// Hosts that carry the content of many owners under one name, or hand out names without being in
// the Public Suffix List; `why` says which. Empty `why`: not known to be one.
[[nodiscard]] std::string_view shared_host(std::string_view name);

}  // namespace lilith::rules
