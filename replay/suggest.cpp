#include "replay/suggest.hpp"

#include "audit/base/text.hpp"
#include "audit/yaml/tree.hpp"
#include "replay/host_suffix.hpp"
#include "replay/needs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace lilith::replay {
namespace {

using Kind = Need::Kind;

// A wildcard over hosts needs as many of them, on as many workstations.
constexpr std::size_t kSiblingHostsMin = 3, kSiblingWorkstationsMin = 2;
constexpr double kRareAgent = 0.01;
// Risks that no support makes good: a person must accept them by name.
constexpr std::string_view kHeldBack[] = {"R1", "R5", "R7", "R10"};

// Programs that run what they are told: listing one lists everything.
constexpr std::string_view kLaunchers[] = {
    "ash",       "bash",    "bun",  "bunx",   "busybox", "curl",   "dash",   "deno",
    "doas",      "docker",  "env",  "eval",   "exec",    "expect", "fish",   "ftp",
    "gdb",       "ksh",     "lua",  "nc",     "ncat",    "node",   "nohup",  "npx",
    "osascript", "perl",    "php",  "pkexec", "pnpx",    "podman", "pwsh",   "python",
    "python2",   "python3", "rm",   "rsync",  "ruby",    "scp",    "screen", "script",
    "setsid",    "sftp",    "sh",   "socat",  "source",  "ssh",    "strace", "su",
    "sudo",      "telnet",  "tmux", "watch",  "wget",    "xargs",  "zsh"};

// Tools of the agents themselves that touch nothing outside them: a denial protects nobody.
constexpr std::string_view kAgentInternal[] = {
    "Agent",    "AskUserQuestion", "BashOutput",      "EnterPlanMode", "ExitPlanMode",
    "KillBash", "KillShell",       "Skill",           "Task",          "TaskCreate",
    "TaskGet",  "TaskList",        "TaskOutput",      "TaskStop",      "TaskUpdate",
    "TodoRead", "TodoWrite",       "manage_todo_list"};

// Where agents keep their own notes: no configuration, and nothing runs them.
constexpr std::string_view kAgentDirectories[] = {"~/.claude/plans", "~/.claude/todos"};

// Asked of every suggested pattern; what it would newly open is dropped.
constexpr std::string_view kProbes[] = {"/.ssh/id_ed25519",
                                        "/.aws/credentials",
                                        "/secrets/token",
                                        "/.env",
                                        "/server.pem",
                                        "/server.key",
                                        "/.npmrc",
                                        "/.netrc",
                                        "/.git-credentials",
                                        "/.kube/config",
                                        "/.docker/config.json",
                                        "/.bash_history",
                                        "/.gnupg/private-keys-v1.d/x"};

template <std::size_t N>
bool in(const std::string_view (&table)[N], std::string_view text) {
  return std::ranges::find(table, text) != std::end(table);
}

bool is_sensitive(std::string_view path) {
  static constexpr std::string_view kParts[] = {"/.ssh/",    "/.aws/",  "/.gnupg/",
                                                "/secrets/", "/.kube/", "/.git-credentials"};
  static constexpr std::string_view kEnds[] = {"/.env", ".pem", ".key", "/.npmrc", "/.netrc"};
  return std::ranges::any_of(kParts, [&](auto part) { return path.find(part) != path.npos; }) ||
         std::ranges::any_of(kEnds, [&](auto end) { return path.ends_with(end); });
}

// What is known of one value of one kind.
struct Evidence {
  Need need;
  Support support;
  std::map<std::string, std::uint64_t> details;
  std::set<std::string> agents;
  std::pair<WallTime, std::uint32_t> first{WallTime::max(), 0};  // and the session
};
using Key = std::tuple<Kind, std::string, int, std::string>;

class Learner {
 public:
  Learner(const Recording& recording, const rules::Policy& base, std::string_view base_yaml,
          const SuggestOptions& options)
      : recording_(recording), base_(base), base_yaml_(base_yaml), options_(options) {}

  Result<SuggestedPolicy> learn() {
    gather();
    tools();
    paths(Kind::kRead, SuggestionKind::kReadPath);
    paths(Kind::kWrite, SuggestionKind::kWritePath);
    programs();
    hosts();
    for (Suggestion& one : out_.suggestions) decide_on(one);
    if (auto checked = drop_probed(); !checked) return pass_error(checked);
    std::ranges::stable_sort(out_.suggestions, [](const Suggestion& a, const Suggestion& b) {
      return std::tuple(!a.accepted(), -static_cast<std::int64_t>(a.support.calls), a.kind,
                        a.value) < std::tuple(!b.accepted(),
                                              -static_cast<std::int64_t>(b.support.calls), b.kind,
                                              b.value);
    });
    auto yaml = extended();
    if (!yaml) return pass_error(yaml);
    out_.yaml = std::move(*yaml);
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool learns_from(const Use& use) const {
    return options_.days.contains(use.day) &&
           (options_.developers.empty() || options_.developers[use.developer]);
  }
  void gather();
  [[nodiscard]] bool is_evidence(const RecordedCall& recorded) const;
  [[nodiscard]] bool names_blocked(const std::vector<Need>& needs,
                                   const RecordedCall& recorded) const;
  void note(const Need& need, const RecordedCall& recorded, const Use& use);
  void tools();
  [[nodiscard]] PathCutOptions cut_options(const std::vector<UsedPath>& used, bool write) const;
  void paths(Kind kind, SuggestionKind as);
  void programs();
  void hosts();
  void host(const std::string& value, int port, const std::string& protocol,
            const Evidence& evidence, std::size_t explains);
  [[nodiscard]] std::vector<std::string> common_risks(const Evidence& evidence) const;
  void decide_on(Suggestion& one) const;
  [[nodiscard]] Result<void> drop_probed();
  [[nodiscard]] Result<std::string> extended() const;
  [[nodiscard]] bool base_allows(const audit::Call& call) const;

  const Recording& recording_;
  const rules::Policy& base_;
  std::string_view base_yaml_;
  const SuggestOptions& options_;
  std::map<Key, Evidence> evidence_;
  std::map<std::string, Support> directories_;
  std::set<std::string> run_by_path_;  // directories that programs were run from
  std::map<std::string, std::uint64_t> agent_calls_;
  std::uint64_t calls_ = 0;
  std::map<std::uint32_t, WallTime> first_blocked_;  // by session
  SuggestedPolicy out_;
};

audit::Facts somebody() {
  audit::Facts facts;
  facts.user = "somebody";
  facts.home = "/home/somebody";
  facts.cwd = "/home/somebody";
  return facts;
}

bool allows(const rules::Policy& policy, const audit::Call& call) {
  const rules::CallAnalysis analysis = rules::analyse(call);
  return rules::decide(policy, {"claude_code", "", ""}, analysis, somebody()).verdict ==
         audit::Verdict::kAllow;
}

audit::Call path_call(SuggestionKind kind, std::string path) {
  if (path.starts_with("~")) path.replace(0, 1, "/home/somebody");
  audit::Call call;
  call.kind = kind == SuggestionKind::kWritePath ? audit::OperationKind::kWriteFile
                                                 : audit::OperationKind::kReadFile;
  call.paths = {std::move(path)};
  return call;
}

// A block list or an unreadable line said no: no allow list may answer that.
bool Learner::is_evidence(const RecordedCall& recorded) const {
  const rules::CallAnalysis analysis = rules::analyse(recorded.call);
  const rules::Decision decision = rules::decide(
      base_, {recorded.agent, recorded.tool, recorded.server}, analysis, recorded.facts);
  if (decision.verdict == audit::Verdict::kAllow) return false;
  return decision.reason_code.ends_with(".not_listed") ||
         decision.reason_code.ends_with(".no_section") ||
         decision.reason_code == "egress.port_or_protocol";
}

// A line may name something blocked behind what is merely not listed.
bool Learner::names_blocked(const std::vector<Need>& needs, const RecordedCall& recorded) const {
  return std::ranges::any_of(needs, [&](const Need& need) {
    if (need.kind == Kind::kTool) return false;
    const audit::Call call = call_for(need, recorded.facts);
    const rules::Decision decision =
        need.kind == Kind::kHost
            ? rules::decide_connection(base_, need.value, need.port, need.protocol)
            : rules::decide(base_, {recorded.agent, "", ""}, rules::analyse(call), recorded.facts);
    return decision.reason_code.ends_with(".blocked") ||
           decision.reason_code == "path.agent_config";
  });
}

// A policy can say it: nothing in a log may make a suggested policy invalid.
bool sayable(const Need& need) {
  if (need.value.empty() || printable(need.value) != need.value) return false;
  if (need.kind != Kind::kTool && need.kind != Kind::kProgram) return true;
  return std::ranges::all_of(need.value, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '+' || c == ':';
  });
}

void Learner::gather() {
  for (const Use& use : recording_.uses()) {
    if (use.blocked == 0 || !learns_from(use)) continue;
    const auto [entry, fresh] = first_blocked_.emplace(use.session, use.first);
    if (!fresh) entry->second = std::min(entry->second, use.first);
  }
  const Judgement base = judge(recording_, base_, options_.days);
  std::map<std::uint32_t, std::optional<std::vector<Need>>> needs;
  for (const Use& use : recording_.uses()) {
    if (!learns_from(use)) continue;
    const RecordedCall& recorded = recording_.calls()[use.call];
    if (recorded.unknown) continue;
    calls_ += use.events;
    agent_calls_[recorded.agent] += use.events;
    Support one;
    one.calls = use.events;
    one.sessions.insert(use.session);
    one.hosts.insert(recording_.developers()[use.developer].host);
    one.days.insert(use.day);
    directories_[with_home(recorded.facts.cwd, recorded.facts)].add(one);
    if (!base.verdicts[use.call].deny) continue;
    out_.calls_denied += use.events;
    auto [known, fresh] = needs.try_emplace(use.call);
    if (fresh && is_evidence(recorded)) {
      known->second = needs_of(recorded);
      if (known->second && names_blocked(*known->second, recorded)) known->second.reset();
    }
    if (use.blocked > 0 || use.refused > 0 || !known->second) {
      out_.calls_blocked += use.events;
      continue;
    }
    for (const Need& need : *known->second) note(need, recorded, use);
  }
}

void Learner::note(const Need& need, const RecordedCall& recorded, const Use& use) {
  if (!sayable(need)) return;
  Evidence& evidence =
      evidence_.try_emplace(Key{need.kind, need.value, need.port, need.protocol}).first->second;
  evidence.need = need;
  Support one;
  one.calls = use.events;
  one.sessions.insert(use.session);
  one.hosts.insert(recording_.developers()[use.developer].host);
  one.days.insert(use.day);
  evidence.support.add(one);
  evidence.agents.insert(recorded.agent);
  evidence.first = std::min(evidence.first, std::pair(use.first, use.session));
  if (!need.detail.empty()) evidence.details[need.detail] += use.events;
}

std::vector<std::string> Learner::common_risks(const Evidence& evidence) const {
  std::vector<std::string> out;
  if (evidence.support.hosts.size() < 2) out.emplace_back("R3");
  if (evidence.support.days.size() < 2) out.emplace_back("R4");
  const auto blocked = first_blocked_.find(evidence.first.second);
  if (blocked != first_blocked_.end() && blocked->second <= evidence.first.first)
    out.emplace_back("R7");
  std::uint64_t of_agents = 0;
  for (const std::string& agent : evidence.agents) of_agents += agent_calls_.at(agent);
  if (static_cast<double>(of_agents) < kRareAgent * static_cast<double>(calls_))
    out.emplace_back("R8");
  return out;
}

void Learner::tools() {
  for (const auto& [key, evidence] : evidence_) {
    if (std::get<0>(key) != Kind::kTool) continue;
    Suggestion one;
    one.kind = SuggestionKind::kTool;
    one.value = evidence.need.value;
    one.support = evidence.support;
    one.explains = 1;
    one.risks = common_risks(evidence);
    out_.suggestions.push_back(std::move(one));
  }
}

PathCutOptions Learner::cut_options(const std::vector<UsedPath>& used, bool write) const {
  PathCutOptions out;
  std::set<std::string> directories;
  for (const auto& [directory, support] : directories_) {
    if (support.sessions.size() >= 2) directories.insert(directory);
  }
  out.project_roots = project_roots(directories);
  for (const std::string_view own : kAgentDirectories) {
    const std::string below = std::string(own) + "/";
    if (std::ranges::any_of(used, [&](const UsedPath& one) { return one.path.starts_with(below); }))
      out.project_roots.emplace(own);
  }
  out.moving = moving_projects(directories_);
  out.write = write;
  out.min_hosts = options_.min_hosts;
  out.min_days = options_.min_days;
  return out;
}

void Learner::paths(Kind kind, SuggestionKind as) {
  std::vector<UsedPath> used;
  std::map<std::string, const Evidence*> by_path;
  for (const auto& [key, evidence] : evidence_) {
    if (std::get<0>(key) != kind || base_allows(path_call(as, evidence.need.value))) continue;
    used.push_back({evidence.need.value, evidence.support});
    by_path[evidence.need.value] = &evidence;
  }
  const bool write = as == SuggestionKind::kWritePath;
  for (PathRule& rule : cut_paths(used, cut_options(used, write))) {
    Suggestion one;
    one.kind = as;
    one.value = rule.pattern;
    one.support = rule.support;
    one.explains = rule.paths.size();
    Evidence whole;  // its first use is that of any path that it explains
    whole.support = rule.support;
    bool sensitive = false;
    for (const std::string& path : rule.paths) {
      const Evidence& of_path = *by_path.at(path);
      whole.first = std::min(whole.first, of_path.first);
      whole.agents.insert(of_path.agents.begin(), of_path.agents.end());
      sensitive = sensitive || is_sensitive(path);
    }
    if (rule.growing) one.risks.emplace_back("R2");
    if (sensitive) one.risks.emplace_back("R6");
    if (write &&
        (rule.pattern.find("/bin/") != std::string::npos || rule.pattern.ends_with("/bin")))
      one.risks.emplace_back("R9");
    for (std::string& risk : common_risks(whole)) one.risks.push_back(std::move(risk));
    out_.suggestions.push_back(std::move(one));
  }
}

void Learner::programs() {
  for (const auto& [key, evidence] : evidence_) {
    if (std::get<0>(key) != Kind::kProgram) continue;
    audit::Call call;
    call.kind = audit::OperationKind::kRunCommand;
    call.command = evidence.need.value;
    if (base_allows(call)) continue;
    Suggestion one;
    one.kind = SuggestionKind::kCommand;
    one.value = evidence.need.value;
    one.support = evidence.support;
    one.explains = 1;
    one.sub_commands = evidence.details;
    if (in(kLaunchers, evidence.need.value)) one.risks.emplace_back("R5");
    for (std::string& risk : common_risks(evidence)) one.risks.push_back(std::move(risk));
    out_.suggestions.push_back(std::move(one));
  }
}

void Learner::host(const std::string& value, int port, const std::string& protocol,
                   const Evidence& evidence, std::size_t explains) {
  Suggestion one;
  one.kind = SuggestionKind::kHost;
  one.value = value;
  one.port = port;
  one.protocol = protocol;
  one.support = evidence.support;
  one.explains = explains;
  const bool address = value.find(':') != std::string::npos ||
                       value.find_first_not_of("0123456789.") == std::string::npos;
  const bool usual = (protocol == "https" && port == 443) || (protocol == "http" && port == 80) ||
                     (protocol == "ssh" && port == 22);
  if (!address && is_multi_tenant(value)) one.risks.emplace_back("R1");
  if (address || !usual) one.risks.emplace_back("R10");
  for (std::string& risk : common_risks(evidence)) one.risks.push_back(std::move(risk));
  out_.suggestions.push_back(std::move(one));
}

void Learner::hosts() {
  // Siblings of one domain, port and protocol.
  std::map<std::tuple<std::string, int, std::string>, std::vector<const Evidence*>> siblings;
  for (const auto& [key, evidence] : evidence_) {
    if (std::get<0>(key) != Kind::kHost) continue;
    const Need& need = evidence.need;
    if (rules::decide_connection(base_, need.value, need.port, need.protocol).verdict ==
        audit::Verdict::kAllow)
      continue;
    siblings[{registrable_domain(need.value), need.port, need.protocol}].push_back(&evidence);
  }
  for (const auto& [key, all] : siblings) {
    const auto& [domain, port, protocol] = key;
    Evidence together;
    std::size_t below = 0;
    for (const Evidence* one : all) {
      if (one->need.value == domain) continue;
      ++below;
      together.support.add(one->support);
      together.agents.insert(one->agents.begin(), one->agents.end());
      together.first = std::min(together.first, one->first);
    }
    const bool wildcard = !domain.empty() && !is_multi_tenant(domain) &&
                          below >= kSiblingHostsMin &&
                          together.support.hosts.size() >= kSiblingWorkstationsMin;
    if (wildcard) host("*." + domain, port, protocol, together, below);
    for (const Evidence* one : all) {
      if (!wildcard || one->need.value == domain) host(one->need.value, port, protocol, *one, 1);
    }
  }
}

void Learner::decide_on(Suggestion& one) const {
  for (const std::string& risk : one.risks) {
    if (in(kHeldBack, risk) && !options_.accepted_risks.contains(risk)) {
      one.held = Held::kRisk;
      one.why_not = fmt::format("{} ({}); --accept-risk {} takes it", risk, risk_text(risk), risk);
      return;
    }
  }
  if (one.kind == SuggestionKind::kTool && in(kAgentInternal, one.value)) return;
  if (one.value.ends_with("/**") &&
      in(kAgentDirectories, std::string_view(one.value).substr(0, one.value.size() - 3)))
    return;
  if (one.support.hosts.size() < options_.min_hosts &&
      one.support.days.size() < options_.min_days) {
    one.held = Held::kSupport;
    one.why_not = fmt::format("seen on fewer than {} workstations and {} days", options_.min_hosts,
                              options_.min_days);
  }
}

bool Learner::base_allows(const audit::Call& call) const { return allows(base_, call); }

Result<std::string> Learner::extended() const {
  std::vector<const Suggestion*> accepted;
  for (const Suggestion& one : out_.suggestions) {
    if (one.accepted()) accepted.push_back(&one);
  }
  return extend_policy(base_yaml_, accepted, provenance_header(options_.days, base_.sha256()));
}

Result<void> Learner::drop_probed() {
  for (bool again = true; again;) {
    again = false;
    auto yaml = extended();
    if (!yaml) return pass_error(yaml);
    const rules::PolicyLoad load = rules::load_policy(*yaml, "suggested policy");
    if (!load.policy) {
      std::string why = "the base can't be extended";
      for (const rules::Diagnostic& one : load.diagnostics) {
        if (one.severity == rules::Severity::kError) why += "\n" + rules::to_string(one);
      }
      return fail(ErrorCode::kInvalidInput, why);
    }
    for (Suggestion& one : out_.suggestions) {
      if (!one.accepted()) continue;
      const std::string secret = opened_secret(one, base_, *load.policy);
      if (secret.empty()) continue;
      one.held = Held::kProbe;
      one.why_not = "would open " + secret;
      again = true;
    }
  }
  return {};
}

}  // namespace

std::string_view name(SuggestionKind kind) {
  switch (kind) {
    case SuggestionKind::kTool:
      return "tool";
    case SuggestionKind::kReadPath:
      return "read_path";
    case SuggestionKind::kWritePath:
      return "write_path";
    case SuggestionKind::kCommand:
      return "command";
    case SuggestionKind::kHost:
      break;
  }
  return "host";
}

std::string provenance_header(DayRange days, std::string_view base_sha256) {
  return fmt::format(
      "# learned_from: {} to {}\n# by lilith replay suggest, from a policy with sha256\n# {}\n",
      format_day(days.first), format_day(days.last), base_sha256);
}

std::string opened_secret(const Suggestion& one, const rules::Policy& base,
                          const rules::Policy& extended) {
  const bool path = one.kind == SuggestionKind::kReadPath || one.kind == SuggestionKind::kWritePath;
  if (!path || !one.value.ends_with("/**")) return {};
  const std::string directory = one.value.substr(0, one.value.size() - 3);
  for (const std::string_view probe : kProbes) {
    // A moving project's pattern is asked in a folder that it stands for.
    std::string target = directory + std::string(probe);
    for (std::size_t at; (at = target.find("[!.]*")) != std::string::npos;)
      target.replace(at, 5, "folder");
    const audit::Call call = path_call(one.kind, target);
    if (!allows(base, call) && allows(extended, call)) return target;
  }
  return {};
}

std::string label_of(const Suggestion& one) {
  std::string kind(name(one.kind));
  std::ranges::replace(kind, '_', ' ');
  std::string value = one.value;
  if (one.kind == SuggestionKind::kHost) value += fmt::format(":{} {}", one.port, one.protocol);
  return fmt::format("{:<11} {}", kind, printable(value));
}

std::string_view risk_text(std::string_view code) {
  static constexpr std::pair<std::string_view, std::string_view> kTexts[] = {
      {"R1", "anyone can get a name or data there"},
      {"R2", "directory still growing"},
      {"R3", "one workstation only"},
      {"R4", "one day only"},
      {"R5", "runs whatever it is told"},
      {"R6", "sensitive files were used below it"},
      {"R7", "first used after a blocked attempt"},
      {"R8", "rare agent"},
      {"R9", "what is written there may be run"},
      {"R10", "address or unusual port"}};
  for (const auto& [risk, text] : kTexts) {
    if (risk == code) return text;
  }
  return {};
}

std::string evidence_of(const Suggestion& one) {
  std::string out =
      fmt::format("{} calls, {} sessions, {} workstations, {} days", one.support.calls,
                  one.support.sessions.size(), one.support.hosts.size(), one.support.days.size());
  if (one.explains > 1) out += fmt::format(", {} targets", one.explains);
  if (!one.sub_commands.empty()) {
    std::vector<std::pair<std::uint64_t, std::string>> ranked;
    for (const auto& [word, count] : one.sub_commands) ranked.emplace_back(count, word);
    std::ranges::sort(ranked, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    constexpr std::size_t kShown = 4;
    out += "; mostly";
    for (std::size_t i = 0; i < std::min(kShown, ranked.size()); ++i)
      out += fmt::format("{} {} ({})", i == 0 ? "" : ",", ranked[i].second, ranked[i].first);
  }
  for (const std::string& risk : one.risks) out += fmt::format("; {} {}", risk, risk_text(risk));
  return printable(out);
}

Result<SuggestedPolicy> suggest(const Recording& recording, const rules::Policy& base,
                                std::string_view base_yaml, const SuggestOptions& options) {
  return Learner(recording, base, base_yaml, options).learn();
}

}  // namespace lilith::replay
