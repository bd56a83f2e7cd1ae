#include "rules/lint.hpp"

#include "audit/base/text.hpp"
#include "rules/decide.hpp"
#include "rules/pattern_cover.hpp"
#include "rules/policy_model.hpp"
#include "rules/public_suffix.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

namespace lilith::rules {
namespace {

constexpr std::array kRules{
    LintRule{"policy-error", FindingLevel::kError, "The policy is not valid."},
    LintRule{"policy-warning", FindingLevel::kWarning, "The policy is valid and odd."},
    LintRule{"duplicate-entry", FindingLevel::kWarning, "An entry stands twice in one list."},
    LintRule{"shadowed-entry", FindingLevel::kWarning,
             "Another entry of the same list matches all that this one matches."},
    LintRule{"never-matches", FindingLevel::kWarning, "No call can ever match this entry."},
    LintRule{"allow-cancelled", FindingLevel::kWarning,
             "A block entry denies all that this entry allows."},
    LintRule{"block-bypassed", FindingLevel::kWarning,
             "What this entry blocks is open by another way."},
    LintRule{"interpreter-unpinned", FindingLevel::kWarning,
             "An allowed interpreter runs code from its command line."},
    LintRule{"runs-project-code", FindingLevel::kNote,
             "An allowed program runs code of the project by design."},
    LintRule{"apex-open", FindingLevel::kWarning,
             "A block entry for the names below leaves the name itself open."},
    LintRule{"world-writable-root", FindingLevel::kWarning,
             "Everybody on the machine can put files where this entry allows them."},
    LintRule{"public-suffix", FindingLevel::kWarning,
             "Anybody can register a name that this entry allows."},
    LintRule{"multi-tenant-host", FindingLevel::kWarning,
             "A host that this entry allows carries the content of many owners."}};

// Programs that take code on their command line, and the option that does it (GTFOBins, "shell").
struct Interpreter {
  std::string_view program, option;
};
constexpr std::array kInterpreters{
    Interpreter{"python", "-c"},  Interpreter{"python3", "-c"}, Interpreter{"python2", "-c"},
    Interpreter{"pypy3", "-c"},   Interpreter{"node", "-e"},    Interpreter{"nodejs", "-e"},
    Interpreter{"bun", "-e"},     Interpreter{"deno", "eval"},  Interpreter{"perl", "-e"},
    Interpreter{"ruby", "-e"},    Interpreter{"php", "-r"},     Interpreter{"lua", "-e"},
    Interpreter{"Rscript", "-e"}, Interpreter{"bash", "-c"},    Interpreter{"sh", "-c"},
    Interpreter{"dash", "-c"},    Interpreter{"zsh", "-c"},     Interpreter{"ksh", "-c"},
    Interpreter{"fish", "-c"},    Interpreter{"pwsh", "-c"}};
// These are nothing but their program: an option can't pin them.
constexpr std::array<std::string_view, 6> kAlwaysCode{"awk", "gawk", "mawk", "npx", "uvx", "env"};
constexpr std::array<std::string_view, 17> kProjectRunners{
    "git", "npm",    "pnpm", "yarn", "cargo", "make",   "cmake",  "ninja", "go",
    "mvn", "gradle", "pip",  "pip3", "uv",    "poetry", "docker", "pytest"};
// Programs that do the same job: blocking one of them and allowing another blocks nothing.
using Family = std::vector<std::string_view>;
const std::array<Family, 4>& families() {
  static const std::array<Family, 4> kFamilies{
      Family{"sh", "bash", "dash", "zsh", "ksh", "ash", "fish"},
      Family{"python", "python2", "python3", "pypy3"}, Family{"node", "nodejs", "bun", "deno"},
      Family{"curl", "wget", "aria2c", "http", "https", "nc", "ncat", "netcat", "socat", "telnet"}};
  return kFamilies;
}
// hier(7) and the sticky directories of Debian 12.
constexpr std::array<std::string_view, 5> kWorldWritable{"/tmp", "/var/tmp", "/dev/shm",
                                                         "/run/lock", "/var/lock"};
// The agents' own names of operations, as blocked_tools may name them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kOwnNames{
    {{"Bash", "run_command"},
     {"bash", "run_command"},
     {"run_in_terminal", "run_command"},
     {"Read", "read_file"},
     {"view", "read_file"},
     {"Write", "write_file"},
     {"Edit", "write_file"},
     {"MultiEdit", "write_file"},
     {"NotebookEdit", "write_file"},
     {"create", "write_file"},
     {"edit", "write_file"},
     {"WebFetch", "egress"},
     {"web_fetch", "egress"},
     {"fetch_webpage", "egress"}}};
constexpr std::string_view kExampleUser = "dev", kExampleHome = "/home/dev";

std::string on_line(int line) { return "line " + std::to_string(line); }
template <class Range>
bool contains(const Range& range, std::string_view text) {
  return std::find(range.begin(), range.end(), text) != range.end();
}

// The entries of a list by what all that they match must contain, so that a list of ten thousand is
// not compared with itself pair by pair.
class WideEntries {
 public:
  void add(const PatternParts& parts, std::size_t index) {
    const auto literal = std::find_if(parts.rbegin(), parts.rend(), [](const std::string& part) {
      return is_literal(part) && part != "~";
    });
    (literal == parts.rend() ? others_ : by_part_[*literal]).push_back(index);
  }
  template <class Visit>
  void each(const PatternParts& narrow, Visit visit) const {
    for (const std::size_t index : others_) visit(index);
    for (const std::string& part : std::set<std::string>(narrow.begin(), narrow.end())) {
      const auto found = by_part_.find(part);
      if (found == by_part_.end()) continue;
      for (const std::size_t index : found->second) visit(index);
    }
  }

 private:
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_part_;
  std::vector<std::size_t> others_;
};

class Linter {
 public:
  explicit Linter(const Policy& policy) : policy_(policy), model_(policy.model()) {}
  std::vector<Finding> run();

 private:
  void add(std::string_view id, const Entry& at, std::string why, std::string remedy);
  void hosts();
  void host_list(const HostList& list, bool blocks);
  void host_pairs();
  void allowed_host(const HostEntry& entry);
  void apexes();
  void path_list(const PathList& list, bool blocks);
  void path_pairs(const ToolRule& rule);
  void allowed_path(const Entry& entry, bool writes);
  void bypassed_paths();
  void commands(const ToolRule& rule);
  void command_blocks(const ToolRule& rule);
  void allowed_command(const ToolRule& rule, const std::string& name, const Entry& entry);
  void bypassed_commands(const ToolRule& rule);
  void tools();
  [[nodiscard]] bool is_blocked(const ToolRule& rule, std::string_view program) const;
  [[nodiscard]] bool writes_are_allowed(const std::string& path) const;

  const Policy& policy_;
  const PolicyModel& model_;
  std::vector<Finding> out_;
};

void Linter::add(std::string_view id, const Entry& at, std::string why, std::string remedy) {
  const auto* const rule =
      std::find_if(kRules.begin(), kRules.end(), [&](const LintRule& one) { return one.id == id; });
  out_.push_back({std::string(id), rule->level, model_.file_name, at.line, std::max(at.column, 1),
                  std::move(why), std::move(remedy)});
}

// ---- hosts

// `narrow` is of no use beside `wide` in one list.
bool is_shadowed(const HostEntry& narrow, const HostEntry& wide, bool blocks) {
  return covers(wide, blocks, narrow, blocks) &&
         (!narrow.entry.always_block || wide.entry.always_block);
}

void Linter::host_list(const HostList& list, bool blocks) {
  const auto& entries = list.entries();
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_name;
  std::vector<std::size_t> addresses;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].pattern.kind() == HostPattern::Kind::kAddress) {
      addresses.push_back(i);
    } else {
      by_name[entries[i].pattern.name()].push_back(i);
    }
  }
  const auto compare = [&](std::size_t i, const std::vector<std::size_t>& others) {
    for (const std::size_t other : others) {
      const HostEntry &narrow = entries[i], &wide = entries[other];
      if (i == other || !is_shadowed(narrow, wide, blocks)) continue;
      const bool same = is_shadowed(wide, narrow, blocks);
      if (same && other > i) continue;  // told at the second one
      add(same ? "duplicate-entry" : "shadowed-entry", narrow.entry,
          quote(narrow.entry.text) + (same ? " says again what " : " adds nothing to ") +
              quote(wide.entry.text) + " on " + on_line(wide.entry.line) + (same ? " says" : ""),
          "remove it");
      return true;
    }
    return false;
  };
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].pattern.kind() == HostPattern::Kind::kAddress) {
      compare(i, addresses);
      continue;
    }
    const std::string& name = entries[i].pattern.name();
    for (std::size_t at = 0; at != std::string::npos;) {
      const auto found = by_name.find(std::string_view(name).substr(at));
      if (found != by_name.end() && compare(i, found->second)) break;
      at = name.find('.', at);
      if (at != std::string::npos) ++at;
    }
  }
}

void Linter::host_pairs() {
  for (const HostEntry& allowed : model_.egress.allowed.entries()) {
    for (const HostEntry& blocked : model_.egress.blocked.entries()) {
      if (covers(blocked, true, allowed, false)) {
        add("allow-cancelled", allowed.entry,
            quote(allowed.entry.text) + " is blocked by " + quote(blocked.entry.text) + " on " +
                on_line(blocked.entry.line) + ", and a block entry always wins",
            "remove one of the two");
        break;
      }
      if (!covers(allowed.pattern, blocked.pattern)) continue;
      if (blocked.ports.empty() && blocked.protocols.empty()) continue;
      HostEntry rest = allowed;
      rest.pattern = blocked.pattern;
      if (covers(blocked, true, rest, false)) continue;
      add("block-bypassed", blocked.entry,
          quote(blocked.entry.text) + " is blocked for some ports or protocols only, and " +
              quote(allowed.entry.text) + " on " + on_line(allowed.entry.line) +
              " lets others through",
          "leave ports and protocols out of the block entry");
    }
  }
}

void Linter::allowed_host(const HostEntry& entry) {
  const std::string& name = entry.pattern.name();
  const std::string shown = quote(entry.entry.text);
  if (entry.pattern.kind() == HostPattern::Kind::kAddress) return;
  const bool below = entry.pattern.kind() == HostPattern::Kind::kSuffix;
  const SuffixKind kind =
      name.find('.') == std::string::npos ? SuffixKind::kRegistry : suffix_kind(name);
  if (below && kind == SuffixKind::kRegistry) {
    add("public-suffix", entry.entry,
        shown + " allows every name below " + quote(name) + ", and anybody can register one",
        "name the hosts");
    return;
  }
  const std::string_view why = shared_host(name);
  if (below && kind == SuffixKind::kProvider && why.empty()) {
    add("multi-tenant-host", entry.entry,
        shown + " allows every customer's name below " + quote(name) +
            " (Public Suffix List, private section)",
        "name the hosts that are yours");
  } else if (!why.empty()) {
    add("multi-tenant-host", entry.entry, shown + " is shared: " + std::string(why),
        "allow it only where agents must reach it, and watch it: data can leave this way");
  }
}

void Linter::apexes() {
  for (const HostEntry& entry : model_.egress.blocked.entries()) {
    if (entry.pattern.kind() != HostPattern::Kind::kSuffix) continue;
    const auto apex = canonical_host(entry.pattern.name());
    if (!apex || model_.egress.blocked.find_host(*apex) != nullptr) continue;
    add("apex-open", entry.entry,
        quote(entry.entry.text) + " does not block " + quote(entry.pattern.name()) + " itself",
        "add an entry for " + quote(entry.pattern.name()) + " if that is meant as well");
  }
}

// RFC 1918, RFC 4193 and RFC 6598: `private: false` refuses them whatever the lists say.
bool is_private(const HostPattern& pattern) {
  for (const char* text :
       {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}) {
    const auto block = HostPattern::parse(text);
    if (block && covers(*block, pattern)) return true;
  }
  return false;
}

void Linter::hosts() {
  host_list(model_.egress.allowed, false);
  host_list(model_.egress.blocked, true);
  host_pairs();
  apexes();
  for (const HostEntry& entry : model_.egress.allowed.entries()) {
    allowed_host(entry);
    if (!model_.egress.private_addresses && is_private(entry.pattern)) {
      add("never-matches", entry.entry,
          quote(entry.entry.text) + " is private, and egress.private: false on " +
              on_line(model_.egress.private_line) + " refuses it",
          "remove the entry, or private: false");
    }
    const bool has_http_port =
        std::find(entry.ports.begin(), entry.ports.end(), 80) != entry.ports.end();
    if (has_http_port && entry.protocols.empty()) {
      add("never-matches", entry.entry,
          quote(entry.entry.text) +
              " lists port 80 without protocols, which means https on "
              "port 80",
          "add protocols: [http] if plain HTTP is meant");
    }
  }
}

// ---- paths

void Linter::path_list(const PathList& list, bool blocks) {
  std::vector<PatternParts> parts;
  WideEntries wide;
  for (std::size_t i = 0; i < list.entries.size(); ++i) {
    parts.push_back(parts_of(blocks ? ascii_lower(list.entries[i].text) : list.entries[i].text));
    wide.add(parts.back(), i);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Entry& narrow = list.entries[i];
    bool told = false;
    wide.each(parts[i], [&](std::size_t other) {
      const Entry& one = list.entries[other];
      if (told || other == i || (narrow.always_block && !one.always_block)) return;
      if (!covers(parts[other], parts[i])) return;
      const bool same =
          covers(parts[i], parts[other]) && (!one.always_block || narrow.always_block);
      if (same && other > i) return;
      told = true;
      add(same ? "duplicate-entry" : "shadowed-entry", narrow,
          quote(narrow.text) + (same ? " says again what " : " adds nothing to ") +
              quote(one.text) + " on " + on_line(one.line) + (same ? " says" : ""),
          "remove it");
    });
  }
}

void Linter::path_pairs(const ToolRule& rule) {
  std::vector<PatternParts> blocked;
  WideEntries wide;
  for (const Entry& entry : rule.path_block.entries) {
    blocked.push_back(parts_of(ascii_lower(entry.text)));
    wide.add(blocked.back(), blocked.size() - 1);
  }
  for (const Entry& allowed : rule.path_allow.entries) {
    const PatternParts parts = parts_of(ascii_lower(allowed.text));
    bool told = false;
    wide.each(parts, [&](std::size_t index) {
      if (told || !covers(blocked[index], parts)) return;
      told = true;
      const Entry& one = rule.path_block.entries[index];
      add("allow-cancelled", allowed,
          quote(allowed.text) + " is blocked by " + quote(one.text) + " on " + on_line(one.line) +
              ", and a block entry always wins",
          "remove one of the two");
    });
  }
}

void Linter::allowed_path(const Entry& entry, bool writes) {
  const PatternParts parts = parts_of(entry.text);
  for (const std::string_view root : kWorldWritable) {
    if (!covers(parts_of(std::string(root) + "/**"), parts)) continue;
    add("world-writable-root", entry,
        quote(entry.text) + " allows files where every user of the machine can put them" +
            (writes ? ", and links that lead elsewhere" : ""),
        "use a directory of the agent's own, such as ~/.cache/agent");
    return;
  }
  const std::string example = path_for(entry.text, kExampleUser, kExampleHome, "x");
  if (!example.empty() && !fold_path(example, "").reason.empty()) {
    add("never-matches", entry,
        quote(entry.text) + " lies where no path can be judged, so no call is ever allowed by it",
        "remove it");
  }
}

bool Linter::writes_are_allowed(const std::string& path) const {
  audit::Call call;
  call.kind = audit::OperationKind::kWriteFile;
  call.paths = {path};
  audit::Facts facts;
  facts.user = kExampleUser;
  facts.home = kExampleHome;
  facts.cwd = kExampleHome;
  return decide(policy_, {"claude_code", "Write", ""}, analyse(call), facts).verdict ==
         audit::Verdict::kAllow;
}

// What may not be read and may be written is told with a path that write_file really allows.
void Linter::bypassed_paths() {
  const ToolRule *reads = model_.tools.read_file, *writes = model_.tools.write_file;
  if (reads == nullptr || writes == nullptr || !writes->path_block.present) return;
  for (const Entry& entry : reads->path_block.entries) {
    for (const Entry& allowed : writes->path_allow.entries) {
      std::string root = path_for(allowed.text, kExampleUser, kExampleHome, "");
      while (root.ends_with('/')) root.pop_back();
      const bool floats = entry.text.starts_with("**");
      const std::string tail = path_for(entry.text, kExampleUser, kExampleHome, "x");
      if (tail.empty() || (floats && !allowed.text.ends_with("**"))) continue;
      const std::string path =
          floats ? root + tail.substr(std::min<std::size_t>(2, tail.size())) : tail;
      if (!writes_are_allowed(path)) continue;
      add("block-bypassed", entry,
          "read_file may not read what " + quote(entry.text) + " names, and write_file may " +
              "still write it: " + quote(path) + " by " + quote(allowed.text) + " on " +
              on_line(allowed.line),
          "add it to the path_blocklist of write_file as well if that is meant");
      break;
    }
  }
}

// ---- commands

bool Linter::is_blocked(const ToolRule& rule, std::string_view program) const {
  return std::any_of(rule.command_block.begin(), rule.command_block.end(),
                     [&](const CommandBlockEntry& one) { return one.entry.text == program; });
}

void Linter::command_blocks(const ToolRule& rule) {
  std::map<std::string, const Entry*, std::less<>> first;
  for (const CommandBlockEntry& one : rule.command_block) first.emplace(one.entry.text, &one.entry);
  for (const CommandBlockEntry& one : rule.command_block) {
    const Entry& same = *first.at(one.entry.text);
    const auto whole = first.find(one.pattern.program());
    if (&same != &one.entry) {
      add("duplicate-entry", one.entry,
          quote(one.entry.text) + " says again what " + on_line(same.line) + " says", "remove it");
    } else if (whole != first.end() && whole->second != &one.entry && !one.entry.always_block) {
      add("shadowed-entry", one.entry,
          quote(one.entry.text) + " adds nothing to " + quote(one.pattern.program()) + " on " +
              on_line(whole->second->line),
          "remove it");
    }
  }
}

void Linter::allowed_command(const ToolRule& rule, const std::string& name, const Entry& entry) {
  if (is_blocked(rule, name)) {
    add("allow-cancelled", entry,
        quote(name) + " is in command_blocklist as well, and a block entry always wins",
        "remove one of the two");
    return;
  }
  if (contains(kAlwaysCode, name)) {
    add("interpreter-unpinned", entry,
        quote(name) + " runs whatever stands on its command line, listed or not",
        "take it out of command_allowlist");
    return;
  }
  for (const Interpreter& one : kInterpreters) {
    const std::string blocked = name + " " + std::string(one.option);
    if (one.program != name || is_blocked(rule, blocked)) continue;
    add("interpreter-unpinned", entry,
        quote(name) + " runs code from its command line (" + blocked + " CODE)",
        "add " + quote(blocked) + " to command_blocklist; scripts in files still run");
    return;
  }
  if (contains(kProjectRunners, name)) {
    add("runs-project-code", entry,
        quote(name) + " runs code of the project it is called in (scripts, hooks, build files)",
        "no list prevents that; a fence around the network and the audit log stand behind it");
  }
}

void Linter::bypassed_commands(const ToolRule& rule) {
  for (const CommandBlockEntry& one : rule.command_block) {
    const std::string& program = one.pattern.program();
    const std::string options = one.entry.text.substr(program.size());
    for (const Family& family : families()) {
      if (!contains(family, program)) continue;
      for (const std::string_view other : family) {
        const auto allowed = rule.command_allow.find(other);
        if (other == program || allowed == rule.command_allow.end()) continue;
        if (is_blocked(rule, other) || is_blocked(rule, std::string(other) + options)) continue;
        add("block-bypassed", one.entry,
            quote(one.entry.text) + " is blocked, and " + quote(other) + " on " +
                on_line(allowed->second.entry.line) + " does the same",
            "block " + quote(std::string(other) + options) + " as well");
      }
    }
  }
}

void Linter::commands(const ToolRule& rule) {
  command_blocks(rule);
  for (const auto& [name, allowed] : rule.command_allow) allowed_command(rule, name, allowed.entry);
  bypassed_commands(rule);
}

// ---- tools

void Linter::tools() {
  for (const auto& [name, rule] : model_.tools.allowed) {
    const Entry at{name, rule.line, false, rule.column};
    if (rule.has_servers && rule.servers.empty()) {
      add("never-matches", at, quote(name) + " has an empty list of servers",
          "name the servers, or remove the tool");
    }
    const auto blocked = model_.tools.blocked.find(name);
    if (blocked != model_.tools.blocked.end() && !blocked->second.has_servers &&
        blocked->second.arguments.empty()) {
      add("allow-cancelled", at,
          quote(name) + " is in blocked_tools on " + on_line(blocked->second.line) +
              ", and a block entry always wins",
          "remove one of the two");
    }
    path_list(rule.path_allow, false);
    path_list(rule.path_block, true);
    path_pairs(rule);
    for (const Entry& entry : rule.path_allow.entries) allowed_path(entry, name == "write_file");
  }
  for (const auto& [own, operation] : kOwnNames) {
    const auto blocked = model_.tools.blocked.find(own);
    if (blocked == model_.tools.blocked.end()) continue;
    const bool whole = model_.tools.blocked.contains(operation);
    const bool open = operation == "egress" ? !model_.egress.allowed.entries().empty()
                                            : model_.tools.allowed.contains(operation);
    if (whole || !open) continue;
    add("block-bypassed",
        Entry{std::string(own), blocked->second.line, false, blocked->second.column},
        quote(own) + " is what one agent calls it; other agents and other tools of the operation " +
            std::string(operation) + " stay open",
        "block " + quote(operation) + " if the operation is meant");
  }
  if (model_.tools.run_command != nullptr) commands(*model_.tools.run_command);
  bypassed_paths();
}

std::vector<Finding> Linter::run() {
  hosts();
  tools();
  std::stable_sort(out_.begin(), out_.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.line, a.column, a.id, a.why) < std::tie(b.line, b.column, b.id, b.why);
  });
  return std::move(out_);
}

}  // namespace

std::string_view name(FindingLevel level) {
  return level == FindingLevel::kError     ? "error"
         : level == FindingLevel::kWarning ? "warning"
                                           : "note";
}

std::span<const LintRule> lint_rules() { return kRules; }

std::vector<Finding> lint(const Policy& policy) { return Linter(policy).run(); }

std::vector<Finding> findings_of(const std::vector<Diagnostic>& diagnostics) {
  std::vector<Finding> out;
  for (const Diagnostic& one : diagnostics) {
    const bool error = one.severity == Severity::kError;
    out.push_back({error ? "policy-error" : "policy-warning",
                   error ? FindingLevel::kError : FindingLevel::kWarning,
                   one.file,
                   one.line,
                   one.column,
                   one.message,
                   {}});
  }
  return out;
}

std::string to_string(const Finding& finding) {
  std::string out = finding.file;
  if (finding.line > 0) {
    out += ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column);
  }
  out += ": " + std::string(name(finding.level)) + ": " + finding.why;
  if (!finding.remedy.empty()) out += "; " + finding.remedy;
  return out + " [" + finding.id + "]";
}

}  // namespace lilith::rules
