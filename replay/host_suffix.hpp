#pragma once
// What may stand behind `*.` in an allow list. The Public Suffix List says under which names anyone
// can register; it lacks many services where anyone gets a name of their own or receives data, so
// that an overlay of ours stands beside it.

#include <string>
#include <string_view>

namespace lilith::replay {

// The registrable domain of a canonical host ("example.co.uk" of "a.b.example.co.uk"), empty for
// addresses, for public suffixes themselves and for names of one label.
[[nodiscard]] std::string registrable_domain(std::string_view host);

// Anyone can get a name below it, or receive data at it: allowing all names below allows strangers.
[[nodiscard]] bool is_multi_tenant(std::string_view domain);

// Which lists were asked, for people.
[[nodiscard]] std::string suffix_list_version();

}  // namespace lilith::replay
