#include "rules/judge.hpp"

#include <algorithm>

namespace lilith::rules {

void Judge::judge_hazard(const Hazard& hazard, const CommandUse* use, const ToolRule& rule) {
  if (use != nullptr) {
    const auto entry = rule.command_allow.find(use->name);
    if (entry != rule.command_allow.end()) {
      const auto& accepted = entry->second.allow_hazards;
      if (std::find(accepted.begin(), accepted.end(), hazard.code) != accepted.end()) return;
      note(kTools, "run_command", "command_allowlist", entry->second.entry.line, false, use->name);
    }
  }
  Judged one;
  one.deny = true;
  one.kind = OperationKind::kRunCommand;
  one.use = use;
  one.section = kTools;
  one.tool = "run_command";
  one.line = rule.line;
  one.code = hazard.code;
  one.technique = "T1059";
  one.said = hazard.message;
  one.tell = [](const Judged& j, std::string_view, Sentence& out) { out += j.said; };
  add(one);
}

bool Judge::judge_blocked_use(const CommandUse& use, std::string_view name, const ToolRule& rule) {
  const auto entries = rule.command_block_by_program.find(name);
  if (entries == rule.command_block_by_program.end()) return false;
  CommandUse by_base;
  if (name.size() != use.name.size()) {
    by_base = use;
    by_base.name = name;
  }
  for (const std::size_t index : entries->second) {
    const CommandBlockEntry& blocking = rule.command_block[index];
    if (!blocking.pattern.matches(name.size() != use.name.size() ? by_base : use)) continue;
    Judged one;
    one.deny = true;
    one.always_block = blocking.entry.always_block;
    one.kind = OperationKind::kRunCommand;
    one.use = &use;
    one.section = kTools;
    one.tool = "run_command";
    one.list = "command_blocklist";
    one.entry = blocking.entry.text;
    one.line = blocking.entry.line;
    note(kTools, one.tool, one.list, one.line, true, one.entry);
    one.code = "command.blocked";
    one.technique = "T1059";
    one.tell = [](const Judged& j, std::string_view by, Sentence& out) {
      tell_of(out, "command ", j.use->name, " is blocked by ", by);
    };
    add(one);
    return true;
  }
  return false;
}

void Judge::judge_use(const CommandUse& use, const ToolRule& rule) {
  // /usr/bin/git is git only when root owns it and nobody else may replace it; ./git never is.
  const std::size_t slash = use.name.rfind('/');
  const std::string_view name =
      slash == std::string::npos ? use.name : std::string_view(use.name).substr(slash + 1);
  if (judge_blocked_use(use, name, rule)) return;
  if (!rule.command_block.empty()) {
    note(kTools, "run_command", "command_blocklist", rule.command_block.front().entry.line, false);
  }
  Judged one;
  one.kind = OperationKind::kRunCommand;
  one.use = &use;
  one.section = kTools;
  one.tool = "run_command";
  one.list = "command_allowlist";
  one.technique = "T1059";
  one.line = rule.has_command_allow ? rule.command_allow_line : rule.line;
  const bool trusted = slash == std::string::npos ||
                       std::find(facts_.trusted_programs.begin(), facts_.trusted_programs.end(),
                                 use.name) != facts_.trusted_programs.end();
  const auto entry = trusted ? rule.command_allow.find(name) : rule.command_allow.end();
  if (entry == rule.command_allow.end()) {
    note(kTools, one.tool, one.list, rule.command_allow_line, false);
  }
  if (entry != rule.command_allow.end()) {
    one.entry = entry->first;
    one.line = entry->second.entry.line;
    note(kTools, one.tool, one.list, one.line, true, one.entry);
  } else if (!use.needs_entry) {
    one.section = "command.builtin";
    one.tool = one.list = {};
    one.line = 0;
    one.needs_no_rule = true;
  } else if (tools_default_allow()) {
    return tool_default(one, {});
  } else {
    one.deny = true;
    one.code = trusted ? "command.not_listed" : "command.path";
    one.tell = [](const Judged& j, std::string_view by, Sentence& out) {
      tell_of(out, "command ", j.use->name, " is not in ", by);
    };
    if (!trusted) {
      one.tell = [](const Judged& j, std::string_view, Sentence& out) {
        tell_of(out, "command ", j.use->name,
                " is named by a path that others than root may change");
      };
    }
  }
  add(one);
}

void Judge::judge_command(const Call& call) {
  static const ToolRule kNoLists;
  const ToolRule& lists = p_.tools.run_command == nullptr ? kNoLists : *p_.tools.run_command;
  const CommandAnalysis& analysis = analysis_.command;
  Judged one;
  one.kind = OperationKind::kRunCommand;
  one.section = kTools;
  one.tool = "run_command";
  one.line = lists.line;
  one.technique = "T1059";
  if (call.command.find_first_not_of(" \t\n") == std::string::npos) {
    one.deny = true;
    one.code = "call.undecidable";
    one.said = caller_.tool;
    one.tell = [](const Judged& j, std::string_view, Sentence& out) {
      tell_of(out, "the call of ", j.said, " names no command");
    };
    add(one);
    return;
  }
  const bool listed = p_.tools.run_command != nullptr || tools_default_allow();
  if (!listed) {
    one.said = "the operation run_command";
    tool_default(one, "tool.not_listed");
    // Where that is only recorded, an enforced rule may still close the line.
    if (mode_of(judged_.back()) == Mode::kEnforce || analysis.undecidable) return;
  } else if (analysis.undecidable) {
    one.deny = true;
    one.code = analysis.undecidable->code;
    one.said = analysis.undecidable->message;
    one.tell = [](const Judged& j, std::string_view, Sentence& out) { out += j.said; };
    add(one);
    return;
  }
  judge_line(lists, listed);
  if (judged_.empty()) {
    Judged nothing;
    nothing.kind = OperationKind::kRunCommand;
    nothing.section = "command.builtin";
    nothing.needs_no_rule = true;
    add(nothing);
  }
}

void Judge::judge_line(const ToolRule& lists, bool listed) {
  const CommandAnalysis& analysis = analysis_.command;
  judged_.reserve(judged_.size() + analysis.commands.size() + analysis.hazards.size() +
                  analysis.hosts.size() + 2);
  if (listed) {
    for (const Hazard& hazard : analysis.hazards) judge_hazard(hazard, nullptr, lists);
    for (const CommandUse& use : analysis.commands) {
      judge_use(use, lists);
      for (const Hazard& hazard : use.hazards) judge_hazard(hazard, &use, lists);
    }
  }
  for (const PathUse& use : analysis.paths) judge_path_use(use);
  for (const HostUse& use : analysis.hosts) judge_host_use(use);
}

}  // namespace lilith::rules
