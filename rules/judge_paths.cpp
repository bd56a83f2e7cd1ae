#include "audit/base/text.hpp"
#include "rules/judge.hpp"

#include <algorithm>

namespace lilith::rules {
namespace {

// decisions.md 17: these need no rule.
constexpr std::array<std::string_view, 5> kHarmlessDevices{"/dev/null", "/dev/stdin", "/dev/stdout",
                                                           "/dev/stderr", "/dev/tty"};
constexpr std::array<std::string_view, 8> kArchivers{"tar", "zip",   "7z",   "gzip",
                                                     "xz",  "bzip2", "zstd", "cpio"};

// ATT&CK: T1552.004 private keys, T1552.001 credentials in files.
std::string_view technique_of(std::string_view pattern) {
  for (const std::string_view key : {".ssh", ".key", ".pem", "id_rsa", ".gnupg"}) {
    if (pattern.find(key) != std::string_view::npos) return "T1552.004";
  }
  return "T1552.001";
}

}  // namespace

// The entry that closes the path in any of its spellings; of several the first in the list's order,
// where entries with always_block stand before all others.
const PathBlockList::Hit* Judge::blocked(const PathBlockList& list, const KnownPath& path,
                                         std::string_view& spelling) {
  const PathBlockList::Hit* best = nullptr;
  if (list.empty()) return best;
  path.each_spelling(texts_, [&](const Spelling& one) {
    const PathBlockList::Hit* hit = list.find(one.view(), one.lower(), blocked_user());
    if (hit == nullptr || (best != nullptr && best <= hit)) return;
    best = hit;
    spelling = one.text();
  });
  return best;
}

void Judge::note_hit(std::string_view fallback_tool, const PathBlockList::Hit* hit) {
  if (trace_ == nullptr) return;
  if (hit != nullptr) {
    return note(kTools, hit->rule->name, "path_blocklist", hit->entry->line, true,
                hit->entry->text);
  }
  // A shell line asks the lists of every tool.
  for (const char* name : {"read_file", "write_file", "run_command"}) {
    const ToolRule* rule = tool(name);
    const bool asked = fallback_tool.empty() || fallback_tool == name;
    if (rule != nullptr && asked)
      note(kTools, name, "path_blocklist", rule->path_block.line, false);
  }
}

void Judge::judge_blocked(const PathBlockList::Hit& hit, std::string_view spelling, Judged& one) {
  one.deny = true;
  one.always_block = hit.entry->always_block;
  one.line = hit.entry->line;
  one.section = kTools;
  one.tool = hit.rule->name;
  one.list = "path_blocklist";
  one.entry = hit.entry->text;
  one.code = "path.blocked";
  if (one.technique.empty()) one.technique = technique_of(hit.entry->text);
  one.said = spelling;
  one.tell = [](const Judged& j, std::string_view by, Sentence& out) {
    tell_of(out, "path ", j.said, " is blocked by ", by);
  };
  add(one);
}

bool Judge::is_protected(const KnownPath& path) {
  if (!p_.protect_agent_config) return false;
  bool found = false;
  path.each_spelling(texts_, [&](const Spelling& one) {
    found =
        found || agent_config_patterns().find(one.lower(), blocked_user()) != PathPatternSet::npos;
  });
  return found;
}

// Writing what configures an agent or runs later. Takes `one` when that closes the path.
bool Judge::judge_protected(const KnownPath& path, Judged& one) {
  const bool is_guarded = is_protected(path);
  note("protect_agent_config", {}, {}, p_.protect_line, is_guarded);
  if (!is_guarded) return false;
  one.deny = true;
  one.section = "protect_agent_config";
  one.tool = {};
  one.line = p_.protect_line;
  one.code = "path.agent_config";
  one.technique = "T1562.001";
  one.tell = [](const Judged& j, std::string_view by, Sentence& out) {
    tell_of(out, "path ", j.path, " configures an agent or runs later; writing it is blocked by ",
            by);
  };
  add(one);
  return true;
}

void Judge::judge_path(OperationKind kind, std::string_view given, std::string_view cwd,
                       bool of_shell) {
  const bool is_write = kind == OperationKind::kWriteFile;
  const KnownPath path(given, cwd, path_facts_, texts_);
  Judged one;
  one.kind = kind;
  one.path = path.shown();
  one.section = kTools;
  one.tool = is_write ? "write_file" : "read_file";
  const ToolRule* rule = is_write ? p_.tools.write_file : p_.tools.read_file;
  one.line = rule == nullptr ? 0 : rule->line;
  const PathBlockList& closed = of_shell   ? p_.tools.shell_block
                                : is_write ? p_.tools.write_block
                                           : p_.tools.read_block;
  std::string_view spelling;
  const auto* closing = blocked(closed, path, spelling);
  note_hit(of_shell ? std::string_view() : one.tool, closing);
  if (closing != nullptr) return judge_blocked(*closing, spelling, one);
  if (is_write && judge_protected(path, one)) return;
  one.deny = true;
  if (path.resolved.empty()) {
    one.code = code_of(path.reason);
    one.said = sentence_of(path.reason);
    one.tell = [](const Judged& j, std::string_view, Sentence& out) {
      tell_of(out, "path ", j.path, " cannot be judged: ", j.said);
    };
    add(one);
    return;
  }
  judge_path_allow(path, rule, one);
}

// What no block list closes: the tool's allow list, and then the section's default.
void Judge::judge_path_allow(const KnownPath& path, const ToolRule* rule, Judged& one) {
  if (rule == nullptr) {
    one.said = one.kind == OperationKind::kWriteFile ? "the operation write_file"
                                                     : "the operation read_file";
    return tool_default(one, "tool.not_listed");
  }
  one.list = "path_allowlist";
  std::size_t hit = path.find_resolved(rule->path_allow.patterns, user(), texts_);
  if (hit != PathPatternSet::npos && !path.by_text.empty() &&
      rule->path_allow.patterns.find(path.by_text, user()) == PathPatternSet::npos) {
    hit = PathPatternSet::npos;
    one.path = path.by_text;
  }
  if (hit == PathPatternSet::npos) note(kTools, one.tool, one.list, rule->path_allow.line, false);
  if (hit != PathPatternSet::npos) {
    const Entry& entry = rule->path_allow.entries[hit];
    note(kTools, one.tool, one.list, entry.line, true, entry.text);
    one.deny = false;
    one.entry = entry.text;
    one.line = entry.line;
  } else if (tools_default_allow()) {
    return tool_default(one, {});
  } else {
    one.code = "path.not_listed";
    if (rule->path_allow.present) one.line = rule->path_allow.line;
    one.tell = [](const Judged& j, std::string_view by, Sentence& out) {
      tell_of(out, "path ", j.path, " is not in ", by);
    };
  }
  add(one);
}

// Block lists only: a word of argv may be a path.
bool Judge::judge_argument_path(const PathUse& use, OperationKind kind) {
  const PathBlockList& closed = p_.tools.shell_block;
  if (closed.empty()) return false;
  Judged one;
  one.kind = kind;
  const auto archives = [](const CommandUse& command) {
    return std::find(kArchivers.begin(), kArchivers.end(), command.name) != kArchivers.end();
  };
  const auto& commands = analysis_.command.commands;
  const auto absolute = absolute_of(use, facts_.user, facts_.home, facts_.cwd, texts_);
  // Of a word whose directory is not known, what stands in the text itself is judged.
  const KnownPath path(absolute ? *absolute : std::string_view(use.text), absolute ? "" : "/",
                       path_facts_, texts_);
  one.path = absolute ? path.shown() : std::string_view(use.text);
  std::string_view spelling;
  const PathBlockList::Hit* hit = blocked(closed, path, spelling);
  if (hit != nullptr) {
    note_hit({}, hit);
    if (std::any_of(commands.begin(), commands.end(), archives)) one.technique = "T1560";
    judge_blocked(*hit, absolute ? spelling : std::string_view(use.text), one);
    return true;
  }
  // /proc/self/root/x is any path.
  if (path.resolved.empty() && path.reason.starts_with("path.magic_link")) {
    one.deny = true;
    one.section = kTools;
    one.tool = "run_command";
    one.line = p_.tools.run_command == nullptr ? 0 : p_.tools.run_command->line;
    one.code = code_of(path.reason);
    one.said = sentence_of(path.reason);
    one.tell = [](const Judged& j, std::string_view, Sentence& out) {
      tell_of(out, "path ", j.path, " cannot be judged: ", j.said);
    };
    add(one);
    return true;
  }
  if (!use.glob) return false;
  // A word that the shell expands may become a blocked path: `~/.s*/id_rsa` does.
  for (std::string& word : expand_braces(use.text, kBraceWordsMax)) {
    PathUse expanded = use;
    if (word.starts_with("~/")) {
      expanded.base = PathUse::Base::kHome;
      word.erase(0, 2);
    } else if (word.starts_with('/')) {
      expanded.base = PathUse::Base::kAbsolute;
    }
    expanded.text = std::move(word);
    const auto whole = absolute_of(expanded, facts_.user, facts_.home, facts_.cwd, texts_);
    const std::string_view given = whole ? *whole : std::string_view(expanded.text);
    const Spelling spelled(given, texts_);
    hit = closed.find(spelled.view(), spelled.lower(), blocked_user());
    if (hit == nullptr) hit = closed.find_possible(given, whole.has_value(), blocked_user());
    if (hit == nullptr) continue;
    note_hit({}, hit);
    if (std::any_of(commands.begin(), commands.end(), archives)) one.technique = "T1560";
    judge_blocked(*hit, use.text, one);
    judged_.back().tell = [](const Judged& j, std::string_view by, Sentence& out) {
      tell_of(out, "", j.said, " may expand to what ", by);
      out += " blocks";
    };
    return true;
  }
  return false;
}

// A word that names what its program writes: `tee f` is `> f`. Where the place is not known, it is
// not held against the line, as a word of argv; what its text says is.
void Judge::judge_operand(const PathUse& use) {
  if (!becomes_words(use)) return judge_written(use);
  for (const PathUse& one : words_.emplace_front(words_of(use))) judge_written(one);
}

void Judge::judge_written(const PathUse& use) {
  if (std::find(kHarmlessDevices.begin(), kHarmlessDevices.end(), use.text) !=
      kHarmlessDevices.end()) {
    return;
  }
  const auto absolute = absolute_of(use, facts_.user, facts_.home, facts_.cwd, texts_);
  if (absolute && use.access == PathAccess::kWriteArgument) {
    return judge_path(OperationKind::kWriteFile, *absolute, {}, true);
  }
  if (judge_argument_path(use, OperationKind::kWriteFile)) return;
  const KnownPath path(absolute ? *absolute : std::string_view(use.text), absolute ? "" : "/",
                       path_facts_, texts_);
  Judged judged;
  judged.kind = OperationKind::kWriteFile;
  judged.path = absolute ? path.shown() : std::string_view(use.text);
  judge_protected(path, judged);
}

void Judge::judge_path_use(const PathUse& use) {
  if (use.access == PathAccess::kWriteArgument || use.access == PathAccess::kTouchArgument) {
    return judge_operand(use);
  }
  if (use.access == PathAccess::kArgument) {
    judge_argument_path(use, OperationKind::kReadFile);
    return;
  }
  const OperationKind kind =
      use.access == PathAccess::kWrite ? OperationKind::kWriteFile : OperationKind::kReadFile;
  if (use.base == PathUse::Base::kAbsolute &&
      std::find(kHarmlessDevices.begin(), kHarmlessDevices.end(), use.text) !=
          kHarmlessDevices.end()) {
    return;
  }
  const auto absolute = absolute_of(use, facts_.user, facts_.home, facts_.cwd, texts_);
  if (absolute) return judge_path(kind, *absolute, {}, true);
  if (judge_argument_path(use, kind)) return;
  Judged one;
  one.deny = true;
  one.kind = kind;
  one.path = use.text;
  one.section = kTools;
  one.tool = "run_command";
  one.line = p_.tools.run_command == nullptr ? 0 : p_.tools.run_command->line;
  one.code = "path.undecidable";
  one.technique = "T1059";
  one.tell = [](const Judged& j, std::string_view, Sentence& out) {
    tell_of(out, "where ", j.path, " leads is not known before the line runs");
  };
  add(one);
}

}  // namespace lilith::rules
