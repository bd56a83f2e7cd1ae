#include "rules/decide.hpp"

#include "audit/base/users.hpp"
#include "rules/judge.hpp"

#include <algorithm>
#include <array>
#include <forward_list>
#include <unistd.h>
#include <unordered_set>

namespace lilith::rules {
namespace {

// To root every file is root's own: then only the system's program directories say anything.
bool in_system_directory(std::string_view path) {
  constexpr std::array<std::string_view, 4> kDirectories{"/usr/bin/", "/bin/", "/usr/sbin/",
                                                         "/sbin/"};
  return std::any_of(kDirectories.begin(), kDirectories.end(), [&](std::string_view directory) {
    return path.starts_with(directory) &&
           path.find('/', directory.size()) == std::string_view::npos;
  });
}

// `~NAME/x` is known where NAME is the user.
std::optional<std::string_view> below_home(std::string_view text, std::string_view user,
                                           std::string_view home, TextArena& texts) {
  if (!text.starts_with('~') || user.empty() || home.empty()) return std::nullopt;
  text.remove_prefix(1);
  if (!text.starts_with(user)) return std::nullopt;
  text.remove_prefix(user.size());
  if (text.empty()) return home;
  return text[0] == '/' ? std::optional(join_path(text.substr(1), home, texts)) : std::nullopt;
}

}  // namespace

std::optional<std::string_view> absolute_of(const PathUse& use, std::string_view user,
                                            std::string_view home, std::string_view cwd,
                                            TextArena& texts) {
  std::string_view base;
  switch (use.base) {
    case PathUse::Base::kAbsolute:
      return use.text;
    case PathUse::Base::kUnknown:
      return use.tilde ? below_home(use.text, user, home, texts) : std::nullopt;
    case PathUse::Base::kHome:
      if (home.empty()) return std::nullopt;
      return use.text.empty() ? home : join_path(use.text, home, texts);
    case PathUse::Base::kCwd:
      break;
  }
  if (use.directory_is_home) {
    if (home.empty()) return std::nullopt;
    base = use.directory.empty() ? home : join_path(use.directory, home, texts);
  } else if (use.directory_tilde) {
    const auto below = below_home(use.directory, user, home, texts);
    if (!below) return std::nullopt;
    base = *below;
  } else if (use.directory.starts_with('/')) {
    base = use.directory;
  } else if (cwd.starts_with('/')) {
    base = use.directory.empty() ? cwd : join_path(use.directory, cwd, texts);
  } else {
    return std::nullopt;
  }
  return join_path(use.text, base, texts);
}

bool becomes_words(const PathUse& use) {
  const bool operand =
      use.access == PathAccess::kWriteArgument || use.access == PathAccess::kTouchArgument;
  return operand && use.glob && use.text.find('{') != std::string::npos;
}

std::vector<PathUse> words_of(const PathUse& use) {
  if (!becomes_words(use)) return {use};
  std::vector<PathUse> out;
  for (std::string& word : expand_braces(use.text, kBraceWordsMax)) {
    PathUse one = use;
    if (one.base == PathUse::Base::kCwd && word.starts_with('/')) {
      one.base = PathUse::Base::kAbsolute;
    } else if (one.base == PathUse::Base::kCwd && word.starts_with("~/")) {
      one.base = PathUse::Base::kHome;
      word.erase(0, 2);
    }
    one.text = std::move(word);
    out.push_back(std::move(one));
  }
  return out;
}

CallAnalysis analyse(const Call& call) {
  CallAnalysis analysis;
  analysis.call = &call;
  if (!call.command.empty()) analysis.command = analyse_command(call.command);
  return analysis;
}

Result<UserRecord> current_user() {
  const uid_t uid = ::getuid();
  auto entry = user_by_id(uid);
  if (!entry) return pass_error(entry);
  return UserRecord{std::move(entry->name), static_cast<std::int64_t>(uid), std::move(entry->home)};
}

Facts observe(const CallAnalysis& analysis, const UserRecord& user, std::string_view cwd,
              const FileSystem& file_system) {
  Facts facts;
  facts.user = user.name;
  facts.uid = user.uid;
  facts.home = user.home;
  facts.cwd = cwd;
  TextArena texts;
  std::forward_list<std::vector<PathUse>> words;  // `seen` views them, too
  std::unordered_set<std::string_view> seen;
  const auto look = [&](std::string_view given, std::string_view base) {
    const FoldedView folded = fold_path(given, base, texts);
    if (folded.lexical.empty()) return folded;  // decide() refuses it by the text alone
    const std::string_view joined = join_path(given, base, texts);
    if (!seen.insert(joined).second) return folded;
    ResolvedPath path = resolve_path(given, base, file_system);
    const bool is_default =
        path.reason == folded.reason && (path.resolved == path.lexical || path.resolved.empty());
    if (!is_default) {
      facts.paths.push_back(
          {std::string(joined), std::move(path.resolved), std::move(path.reason)});
    }
    return folded;
  };
  // With `..` in it, also what a tool reaches that folds the text first.
  const auto look_both_ways = [&](std::string_view given, std::string_view base) {
    const FoldedView folded = look(given, base);
    if (folded.has_parent) look(folded.lexical, {});
  };
  if (analysis.call->kind != audit::OperationKind::kMcpTool) {
    for (const std::string& path : analysis.call->paths) look_both_ways(path, cwd);
  }
  const auto look_at = [&](const PathUse& use) {
    if (const auto absolute = absolute_of(use, user.name, user.home, cwd, texts)) {
      look_both_ways(*absolute, {});
    }
  };
  for (const PathUse& use : analysis.command.paths) {
    if (becomes_words(use)) {
      for (const PathUse& one : words.emplace_front(words_of(use))) look_at(one);
    } else {
      look_at(use);
    }
  }
  for (const CommandUse& use : analysis.command.commands) {
    if (use.name.starts_with('/') && (user.uid != 0 || in_system_directory(use.name)) &&
        std::find(facts.trusted_programs.begin(), facts.trusted_programs.end(), use.name) ==
            facts.trusted_programs.end() &&
        file_system.root_owned(use.name)) {
      facts.trusted_programs.push_back(use.name);
    }
  }
  return facts;
}

Decision decide(const Policy& policy, const Caller& caller, const CallAnalysis& analysis,
                const Facts& facts) {
  return Judge(policy.model(), caller, analysis, facts).run();
}

Decision decide_traced(const Policy& policy, const Caller& caller, const CallAnalysis& analysis,
                       const Facts& facts, DecisionTrace& trace) {
  trace.operations.clear();
  return Judge(policy.model(), caller, analysis, facts, &trace).run();
}

Decision decide_connection(const Policy& policy, std::string_view host, int port,
                           std::string_view protocol) {
  static const Call kNoCall;
  const CallAnalysis analysis{&kNoCall, {}};
  const Facts facts;
  const Caller caller;
  return Judge(policy.model(), caller, analysis, facts).run_connection(host, port, protocol);
}

Decision deny_without_policy(std::string_view why) {
  Decision decision;
  decision.reason_code = "policy.unusable";
  decision.rule = "policy";
  decision.reason = why;
  return decision;
}

}  // namespace lilith::rules
