#include "rules/pattern_cover.hpp"

#include <algorithm>

namespace lilith::rules {
namespace {

constexpr std::string_view kHomePart = "~";
constexpr std::string_view kUser = "$USER";

bool part_covers(std::string_view wide, std::string_view narrow) {
  if (wide == narrow) return true;
  if (narrow == "**" || narrow == kHomePart || wide == kHomePart) return false;
  if (wide == "*") return true;
  if (wide.find(kUser) != std::string_view::npos) return false;
  if (is_literal(narrow)) return wildcard_match(wide, narrow);
  // "*.key" covers "server*.key".
  return wide.starts_with('*') && is_literal(wide.substr(1)) && narrow.ends_with(wide.substr(1));
}

bool covers_from(const PatternParts& wide, std::size_t i, const PatternParts& narrow,
                 std::size_t j) {
  for (; i < wide.size(); ++i, ++j) {
    if (wide[i] == "**") {
      for (std::size_t next = j; next <= narrow.size(); ++next) {
        if (covers_from(wide, i + 1, narrow, next)) return true;
      }
      return false;
    }
    if (j == narrow.size() || !part_covers(wide[i], narrow[j])) return false;
  }
  return j == narrow.size();
}

// The protocols of an entry; empty: any.
std::vector<std::string> protocols_of(const HostEntry& entry, bool blocks) {
  if (!entry.protocols.empty() || blocks) return entry.protocols;
  return {"https"};
}

bool port_is_covered(const HostEntry& wide, bool wide_blocks, const std::string& protocol,
                     int port) {
  if (!wide.ports.empty()) {
    return std::find(wide.ports.begin(), wide.ports.end(), port) != wide.ports.end();
  }
  return wide_blocks || (port != 0 && port == default_port(protocol));
}

}  // namespace

PatternParts parts_of(std::string_view pattern) {
  PatternParts out;
  for (const std::string_view home : {std::string_view("$HOME"), kHomePart}) {
    if (pattern == home ||
        (pattern.starts_with(home) && pattern.substr(home.size()).starts_with('/'))) {
      out.emplace_back(kHomePart);
      pattern.remove_prefix(home.size());
      break;
    }
  }
  while (!pattern.empty()) {
    const std::size_t slash = std::min(pattern.find('/'), pattern.size());
    if (slash > 0) out.emplace_back(pattern.substr(0, slash));
    pattern.remove_prefix(std::min(slash + 1, pattern.size()));
  }
  return out;
}

bool is_literal(std::string_view part) {
  return part.find_first_of("*?[") == std::string_view::npos &&
         part.find(kUser) == std::string_view::npos;
}

bool covers(const PatternParts& wide, const PatternParts& narrow) {
  // Each ** of the wide one may begin anew at each part of the narrow one.
  if (std::count(wide.begin(), wide.end(), "**") > 4) return wide == narrow;
  return covers_from(wide, 0, narrow, 0);
}

bool covers(const HostPattern& wide, const HostPattern& narrow) {
  using Kind = HostPattern::Kind;
  if (wide.kind() == Kind::kAddress || narrow.kind() == Kind::kAddress) {
    if (wide.kind() != narrow.kind() || wide.prefix_bits() > narrow.prefix_bits()) return false;
    CanonicalHost first;
    first.is_address = true;
    const std::string prefix = narrow.prefix();
    std::copy(prefix.begin(), prefix.end(), first.address.begin());
    return wide.matches(first);
  }
  if (wide.kind() == Kind::kExact) {
    return narrow.kind() == Kind::kExact && wide.name() == narrow.name();
  }
  if (narrow.kind() == Kind::kSuffix && narrow.name() == wide.name()) return true;
  return narrow.name().size() > wide.name().size() + 1 &&
         narrow.name().ends_with("." + wide.name());
}

bool covers(const HostEntry& wide, bool wide_blocks, const HostEntry& narrow, bool narrow_blocks) {
  if (!covers(wide.pattern, narrow.pattern)) return false;
  const auto wide_protocols = protocols_of(wide, wide_blocks);
  const auto narrow_protocols = protocols_of(narrow, narrow_blocks);
  const bool any_protocol = narrow_protocols.empty();
  if (any_protocol) {
    // Any protocol on some or any port: only an entry for any protocol covers that.
    if (!wide_protocols.empty()) return false;
    if (narrow.ports.empty()) return wide.ports.empty() && wide_blocks;
    return std::all_of(narrow.ports.begin(), narrow.ports.end(), [&](int port) {
      return wide.ports.empty() ? wide_blocks : port_is_covered(wide, wide_blocks, "", port);
    });
  }
  return std::all_of(narrow_protocols.begin(), narrow_protocols.end(), [&](const std::string& one) {
    if (!wide_protocols.empty() &&
        std::find(wide_protocols.begin(), wide_protocols.end(), one) == wide_protocols.end()) {
      return false;
    }
    if (narrow.ports.empty() && narrow_blocks) return wide.ports.empty() && wide_blocks;
    std::vector<int> ports = narrow.ports;
    if (ports.empty()) ports.push_back(default_port(one));
    return std::all_of(ports.begin(), ports.end(),
                       [&](int port) { return port_is_covered(wide, wide_blocks, one, port); });
  });
}

std::string text_for(std::string_view glob, std::string_view filler) {
  std::string out;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (glob[i] == '*') {
      out += filler;
    } else if (glob[i] == '?') {
      out += 'x';
    } else if (glob[i] == '[' && i + 2 < glob.size()) {
      const bool negated = glob[i + 1] == '!' || glob[i + 1] == '^';
      out += negated ? '~' : glob[i + 1];
      i = std::min(glob.find(']', i + (negated ? 3 : 2)), glob.size());
    } else {
      out += glob[i];
    }
  }
  return out;
}

std::string path_for(std::string_view pattern, std::string_view user, std::string_view home,
                     std::string_view filler) {
  std::string out;
  for (std::string part : parts_of(pattern)) {
    if (part == kHomePart) {
      out = home;
      continue;
    }
    for (std::size_t at = part.find(kUser); at != std::string::npos; at = part.find(kUser, at)) {
      part.replace(at, kUser.size(), user);
    }
    out += "/" + (part == "**" ? std::string(filler) : text_for(part, filler));
  }
  if (out.empty()) out = "/" + std::string(filler);
  const auto parsed = PathPattern::parse(pattern);
  const PatternUser who{user, home};
  return parsed && parsed->matches(out, who) ? out : std::string();
}

}  // namespace lilith::rules
