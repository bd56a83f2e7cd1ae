#include "replay/needs.hpp"

#include "rules/host.hpp"

#include <algorithm>

namespace lilith::replay {
namespace {

using audit::OperationKind;

// Paths that need no rule (docs/policy.md).
bool is_free(std::string_view path) {
  static constexpr std::string_view kFree[] = {"/dev/null", "/dev/stdin", "/dev/stdout",
                                               "/dev/stderr", "/dev/tty"};
  return std::ranges::find(kFree, path) != std::end(kFree);
}

// Where a path of the call led, or nothing when that is not known.
std::optional<std::string> resolved(std::string_view given, std::string_view cwd,
                                    const audit::Facts& facts) {
  const rules::FoldedPath folded = rules::fold_path(given, cwd);
  if (!folded.reason.empty()) return std::nullopt;
  const std::string joined = rules::join_path(given, cwd);
  for (const audit::PathFact& fact : facts.paths) {
    if (fact.given != joined && fact.given != folded.lexical) continue;
    if (fact.resolved.empty()) return std::nullopt;
    return with_home(fact.resolved, facts);
  }
  return with_home(folded.lexical, facts);
}

bool add_host(std::string_view url, std::vector<Need>& out) {
  auto destination = rules::parse_url(url);
  if (!destination) return false;
  Need need{
      Need::Kind::kHost, destination->host.text, {}, destination->port, destination->protocol};
  out.push_back(std::move(need));
  return true;
}

bool add_program(const rules::CommandUse& command, const audit::Facts& facts,
                 std::vector<Need>& out) {
  if (!command.hazards.empty()) return false;
  if (!command.needs_entry) return true;
  Need need{Need::Kind::kProgram, command.name, {}, 0, {}};
  if (const std::size_t slash = command.name.rfind('/'); slash != std::string::npos) {
    if (std::ranges::find(facts.trusted_programs, command.name) == facts.trusted_programs.end())
      return false;
    need.value = command.name.substr(slash + 1);
  }
  for (std::size_t i = 1; i < command.argv.size(); ++i) {
    const rules::Argument& word = command.argv[i];
    if (!word.constant || word.text.starts_with('-')) continue;
    const bool plain = std::ranges::all_of(
        word.text, [](char c) { return (c >= 'a' && c <= 'z') || c == '-' || c == ':'; });
    if (plain) need.detail = word.text;
    break;
  }
  out.push_back(std::move(need));
  return true;
}

bool add_redirection(const rules::PathUse& path, const audit::Facts& facts,
                     std::vector<Need>& out) {
  using Base = rules::PathUse::Base;
  if (path.access == rules::PathAccess::kArgument) return true;
  if (is_free(path.text)) return true;
  if (path.base == Base::kUnknown || path.directory_tilde || path.glob) return false;
  std::string base = path.base == Base::kHome ? facts.home : facts.cwd;
  if (path.base == Base::kCwd && !path.directory.empty()) {
    base = path.directory_is_home ? rules::join_path(path.directory, facts.home)
                                  : rules::join_path(path.directory, facts.cwd);
  }
  auto target = resolved(path.text, base, facts);
  if (!target) return false;
  const auto kind =
      path.access == rules::PathAccess::kWrite ? Need::Kind::kWrite : Need::Kind::kRead;
  out.push_back({kind, std::move(*target), {}, 0, {}});
  return true;
}

bool add_line(const rules::CommandAnalysis& line, const audit::Facts& facts,
              std::vector<Need>& out) {
  if (line.undecidable || !line.hazards.empty()) return false;
  for (const rules::CommandUse& command : line.commands) {
    if (!add_program(command, facts, out)) return false;
  }
  for (const rules::PathUse& path : line.paths) {
    if (!add_redirection(path, facts, out)) return false;
  }
  for (const rules::HostUse& host : line.hosts) {
    auto canonical = rules::canonical_host(host.host);
    if (!canonical) return false;
    out.push_back({Need::Kind::kHost, canonical->text, {}, host.port, host.protocol});
  }
  return true;
}

}  // namespace

std::optional<std::vector<Need>> needs_of(const RecordedCall& recorded) {
  const audit::Call& call = recorded.call;
  if (recorded.unknown || !call.undecidable.empty()) return std::nullopt;
  std::vector<Need> out;
  if (call.kind == OperationKind::kMcpTool || call.kind == OperationKind::kOther) {
    out.push_back({Need::Kind::kTool, recorded.tool, {}, 0, {}});
  }
  for (const std::string& path : call.paths) {
    auto target = resolved(path, recorded.facts.cwd, recorded.facts);
    if (!target) return std::nullopt;
    const auto kind =
        call.kind == OperationKind::kWriteFile ? Need::Kind::kWrite : Need::Kind::kRead;
    out.push_back({kind, std::move(*target), {}, 0, {}});
  }
  for (const std::string& url : call.urls) {
    if (!add_host(url, out)) return std::nullopt;
  }
  if (!call.command.empty()) {
    const rules::CallAnalysis analysis = rules::analyse(call);
    if (!add_line(analysis.command, recorded.facts, out)) return std::nullopt;
  }
  return out;
}

audit::Call call_for(const Need& need, const audit::Facts& facts) {
  audit::Call call;
  switch (need.kind) {
    case Need::Kind::kRead:
    case Need::Kind::kWrite: {
      call.kind = need.kind == Need::Kind::kRead ? audit::OperationKind::kReadFile
                                                 : audit::OperationKind::kWriteFile;
      call.paths = {need.value.starts_with("~") ? facts.home + need.value.substr(1) : need.value};
      break;
    }
    case Need::Kind::kProgram:
      call.kind = audit::OperationKind::kRunCommand;
      call.command = need.value;
      break;
    case Need::Kind::kHost:
    case Need::Kind::kTool:
      break;
  }
  return call;
}

}  // namespace lilith::replay
