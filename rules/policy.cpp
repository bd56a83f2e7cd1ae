#include "rules/policy.hpp"

#include "rules/policy_model.hpp"

#include <algorithm>
#include <array>

namespace lilith::rules {

std::string to_string(const Diagnostic& diagnostic) {
  std::string out = diagnostic.file;
  if (diagnostic.line > 0) {
    out += ":" + std::to_string(diagnostic.line) + ":" + std::to_string(diagnostic.column);
  }
  out += diagnostic.severity == Severity::kError ? ": error: " : ": warning: ";
  return out + diagnostic.message;
}

Policy::Policy(std::unique_ptr<const PolicyModel> model) : model_(std::move(model)) {}
Policy::~Policy() = default;
const std::string& Policy::sha256() const { return model_->sha256; }
const std::string& Policy::file_name() const { return model_->file_name; }
const AuditSettings& Policy::audit() const { return model_->audit; }
bool Policy::enforces() const { return !model_->audit_mode; }
bool Policy::allow_user_policy() const { return model_->allow_user_policy; }

void HostList::add(HostEntry entry) {
  const std::size_t index = entries_.size();
  switch (entry.pattern.kind()) {
    case HostPattern::Kind::kExact:
      exact_[entry.pattern.name()].push_back(index);
      break;
    case HostPattern::Kind::kSuffix:
      suffix_[entry.pattern.name()].push_back(index);
      break;
    case HostPattern::Kind::kAddress:
      addresses_.push_back(index);
      break;
  }
  entries_.push_back(std::move(entry));
}

template <class Accept>
const HostEntry* HostList::search(const CanonicalHost& host, Accept accept) const {
  if (host.is_address) {
    for (const std::size_t index : addresses_) {
      if (entries_[index].pattern.matches(host) && accept(entries_[index])) return &entries_[index];
    }
    return nullptr;
  }
  const auto among = [&](const StringMap<std::vector<std::size_t>>& map,
                         std::string_view name) -> const HostEntry* {
    const auto found = map.find(name);
    if (found == map.end()) return nullptr;
    for (const std::size_t index : found->second) {
      if (accept(entries_[index])) return &entries_[index];
    }
    return nullptr;
  };
  if (const HostEntry* entry = among(exact_, host.text)) return entry;
  if (suffix_.empty()) return nullptr;
  for (std::size_t dot = host.text.find('.'); dot != std::string::npos;
       dot = host.text.find('.', dot + 1)) {
    if (const HostEntry* entry = among(suffix_, std::string_view(host.text).substr(dot + 1))) {
      return entry;
    }
  }
  return nullptr;
}

bool HostList::accepts(const HostEntry& entry, int port, std::string_view protocol) const {
  if (!entry.protocols.empty()) {
    if (std::find(entry.protocols.begin(), entry.protocols.end(), protocol) ==
        entry.protocols.end()) {
      return false;
    }
  } else if (kind_ == Kind::kAllow && protocol != "https") {
    return false;
  }
  if (!entry.ports.empty()) {
    return std::find(entry.ports.begin(), entry.ports.end(), port) != entry.ports.end();
  }
  return kind_ == Kind::kBlock || (port != 0 && port == default_port(protocol));
}

const HostEntry* HostList::find(const CanonicalHost& host, int port,
                                std::string_view protocol) const {
  return search(host, [&](const HostEntry& entry) { return accepts(entry, port, protocol); });
}

const HostEntry* HostList::find_host(const CanonicalHost& host) const {
  return search(host, [](const HostEntry&) { return true; });
}

// Files that execute later although they look like data: settings and hooks of the agents and of
// the tools they drive (facts: Cursor CVE-2025-54135, Copilot CVE-2025-53773, sandbox-runtime's own
// list of protected writes).
const PathPatternSet& agent_config_patterns() {
  static const PathPatternSet set = [] {
    constexpr std::array<std::string_view, 37> kPatterns{"**/.git/hooks/**",
                                                         "**/.git/config.worktree",
                                                         "**/.config/git/**",
                                                         "**/.cargo/config",
                                                         "**/.bash_aliases",
                                                         "**/.ssh/**",
                                                         "**/.git/config",
                                                         "**/.gitmodules",
                                                         "**/.gitconfig",
                                                         "**/.vscode/settings.json",
                                                         "**/.vscode/tasks.json",
                                                         "**/.vscode/mcp.json",
                                                         "**/.cursor/mcp.json",
                                                         "**/.cursor/hooks.json",
                                                         "**/.mcp.json",
                                                         "**/.claude/settings.json",
                                                         "**/.claude/settings.local.json",
                                                         "**/.claude/hooks/**",
                                                         "**/.claude.json",
                                                         "**/.copilot/hooks/**",
                                                         "**/.copilot/settings.json",
                                                         "**/.github/hooks/**",
                                                         "**/.github/copilot/**",
                                                         "**/.codex/**",
                                                         "**/.gemini/settings.json",
                                                         "**/.envrc",
                                                         "**/.npmrc",
                                                         "**/.cargo/config.toml",
                                                         "**/.bashrc",
                                                         "**/.bash_profile",
                                                         "**/.bash_login",
                                                         "**/.profile",
                                                         "**/.zshrc",
                                                         "**/.zshenv",
                                                         "**/.zprofile",
                                                         "**/.config/lilith/**",
                                                         "**/.local/state/lilith/**"};
    PathPatternSet patterns;
    for (const std::string_view text : kPatterns) {
      auto pattern = PathPattern::parse(text);
      if (pattern) patterns.add(pattern->folded());
    }
    return patterns;
  }();
  return set;
}

}  // namespace lilith::rules
