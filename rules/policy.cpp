#include "rules/policy.hpp"

#include "audit/base/text.hpp"
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
      exact_.add(host_hash(entry.pattern.name()), static_cast<std::uint32_t>(index));
      break;
    case HostPattern::Kind::kSuffix:
      suffix_.add(host_hash(entry.pattern.name()), static_cast<std::uint32_t>(index));
      break;
    case HostPattern::Kind::kAddress:
      addresses_[entry.pattern.prefix_bits()][entry.pattern.prefix()].push_back(index);
      break;
  }
  has_always_block_ = has_always_block_ || entry.entry.always_block;
  entries_.push_back(std::move(entry));
}

// The longest prefix first.
template <class Accept>
const HostEntry* HostList::search_addresses(const CanonicalHost& host, Accept accept) const {
  for (auto bits = addresses_.rbegin(); bits != addresses_.rend(); ++bits) {
    const auto found = bits->second.find(HostPattern::prefix_of(host.address, bits->first));
    if (found == bits->second.end()) continue;
    for (const std::size_t index : found->second) {
      if (accept(entries_[index])) return &entries_[index];
    }
  }
  return nullptr;
}

template <class Accept>
const HostEntry* HostList::search(const HostKey& host, Accept accept) const {
  if (host.address() != nullptr) return search_addresses(*host.address(), accept);
  // The exact name before a suffix, a longer suffix before a shorter one, of equal ones the first.
  const auto among = [&](const TextIndex& index, const HostKey::Ending& ending) {
    const std::string_view name = host.text().substr(ending.at);
    std::size_t first = entries_.size();
    index.each(ending.hash, [&](std::size_t candidate) {
      const HostEntry& entry = entries_[candidate];
      if (candidate < first && entry.pattern.name() == name && accept(entry)) first = candidate;
    });
    return first < entries_.size() ? &entries_[first] : nullptr;
  };
  const std::span<const HostKey::Ending> endings = host.endings();
  if (const HostEntry* exact = among(exact_, endings.front())) return exact;
  // A suffix never stands for the whole name.
  for (const HostKey::Ending& ending : endings.subspan(1)) {
    if (const HostEntry* entry = among(suffix_, ending)) return entry;
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

const HostEntry* HostList::find(const HostKey& host, int port, std::string_view protocol) const {
  if (has_always_block_) {
    const HostEntry* always = search(host, [&](const HostEntry& entry) {
      return entry.entry.always_block && accepts(entry, port, protocol);
    });
    if (always != nullptr) return always;
  }
  return search(host, [&](const HostEntry& entry) { return accepts(entry, port, protocol); });
}

const HostEntry* HostList::find_host(const HostKey& host) const {
  return search(host, [](const HostEntry&) { return true; });
}

const HostEntry* HostList::find_host(const CanonicalHost& host) const {
  TextArena texts;
  return find_host(HostKey(host, texts));
}

void PathBlockList::compile(const std::vector<const ToolRule*>& rules) {
  for (const bool always : {true, false}) {
    for (const ToolRule* rule : rules) {
      for (std::size_t i = 0; i < rule->path_block.entries.size(); ++i) {
        const Entry& entry = rule->path_block.entries[i];
        if (entry.always_block != always) continue;
        const PathPattern& pattern = rule->path_block.parsed[i];
        folded_.add(pattern.folded(), hits_.size());
        if (pattern.has_class()) classes_.add(pattern, hits_.size());
        hits_.push_back({rule, &entry});
      }
    }
  }
}

const PathBlockList::Hit* PathBlockList::find(const PathView& path, const PathView& lower,
                                              const PatternUser& user) const {
  const std::size_t hit = std::min(folded_.find(lower, user), classes_.find(path, user));
  return hit == PathPatternSet::npos ? nullptr : &hits_[hit];
}

const PathBlockList::Hit* PathBlockList::find_possible(std::string_view word, bool anchored,
                                                       const PatternUser& user) const {
  const std::size_t hit = folded_.find_possible(ascii_lower(word), anchored, user);
  return hit == PathPatternSet::npos ? nullptr : &hits_[hit];
}

void ToolSection::compile() {
  const auto named = [this](std::string_view name) -> const ToolRule* {
    const auto found = allowed.find(name);
    return found == allowed.end() ? nullptr : &found->second;
  };
  read_file = named("read_file");
  write_file = named("write_file");
  run_command = named("run_command");
  if (read_file != nullptr) read_block.compile({read_file});
  if (write_file != nullptr) write_block.compile({write_file});
  std::vector<const ToolRule*> all;
  for (auto& [name, rule] : allowed) {
    if (rule.path_block.present) all.push_back(&rule);
    for (auto& [program, entries] : rule.command_block_by_program) {
      std::stable_partition(entries.begin(), entries.end(), [&rule](std::size_t index) {
        return rule.command_block[index].entry.always_block;
      });
    }
  }
  std::sort(all.begin(), all.end(),
            [](const ToolRule* a, const ToolRule* b) { return a->line < b->line; });
  shell_block.compile(all);
}

// Files that execute later although they look like data: settings and hooks of the agents and of
// the tools they drive (facts: Cursor CVE-2025-54135, Copilot CVE-2025-53773, sandbox-runtime's own
// list of protected writes).
const PathPatternSet& agent_config_patterns() {
  static const PathPatternSet set = [] {
    constexpr std::array<std::string_view, 47> kPatterns{"**/.git/hooks/**",
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
                                                         "**/.windsurf/hooks.json",
                                                         "**/.codeium/windsurf/hooks.json",
                                                         "**/.codeium/windsurf/mcp_config.json",
                                                         "**/.copilot/mcp-config.json",
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
                                                         "**/.zlogin",
                                                         "**/.bash_logout",
                                                         "**/.config/fish/**",
                                                         "**/.ripgreprc",
                                                         "**/.vscode/launch.json",
                                                         "**/.claude/settings*.json",
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
