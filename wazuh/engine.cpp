#include "wazuh/engine.hpp"

#include "wazuh/decode.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace lilith::wazuh {
namespace {

constexpr int kAlertLevel = 3;            // log_alert_level of a stock ossec.conf
constexpr std::size_t kMemoryMax = 8192;  // analysisd memory_size

// Rules of level 0 are tried before all others (rules_list.c sorts them as 9900).
int rank(const Rule& rule) { return rule.level == 0 ? 9900 : rule.level; }

struct Node {
  std::size_t rule;
  std::vector<Node> children;
};

struct Seen {
  DecodedLine line;
  std::int64_t arrival_s = 0;
  std::string agent;
  int matched = 0;  // level of the correlation rule that has already counted this event
  bool forgotten = false;
};
using SeenPtr = std::shared_ptr<Seen>;

struct Fired {
  std::size_t rule;
  std::vector<SeenPtr> counted;  // by correlation
};

}  // namespace

struct Engine::Impl {
  Ruleset set;
  std::vector<Node> roots;
  std::deque<SeenPtr> memory;                           // the last kMemoryMax matched events
  std::map<int, std::deque<SeenPtr>> by_sid;            // for if_matched_sid, per named rule
  std::map<std::string, std::deque<SeenPtr>> by_group;  // for if_matched_group, per named group
  std::map<int, std::int64_t> fired_at;                 // for ignore

  void insert(std::vector<Node>& siblings, std::size_t index) {
    const auto at = std::find_if(siblings.begin(), siblings.end(), [&](const Node& node) {
      return rank(set.rules[index]) > rank(set.rules[node.rule]);
    });
    siblings.insert(at, Node{index, {}});
  }

  // Below every node that `is_parent` names; rules_list.c:_AddtoRule walks the whole tree.
  template <class IsParent>
  void attach(std::vector<Node>& nodes, std::size_t index, IsParent is_parent) {
    for (Node& node : nodes) {
      if (node.rule == index) continue;
      attach(node.children, index, is_parent);
      if (is_parent(set.rules[node.rule])) insert(node.children, index);
    }
  }

  void build() {
    for (std::size_t i = 0; i < set.rules.size(); ++i) {
      const Rule& rule = set.rules[i];
      if (!rule.if_sid.empty()) {
        attach(roots, i, [&](const Rule& other) {
          return std::find(rule.if_sid.begin(), rule.if_sid.end(), other.id) != rule.if_sid.end();
        });
      } else if (rule.if_matched_sid != 0) {
        attach(roots, i, [&](const Rule& other) { return other.id == rule.if_matched_sid; });
      } else if (!rule.if_matched_group.empty()) {
        attach(roots, i, [&](const Rule& other) { return other.in_group(rule.if_matched_group); });
      } else {
        insert(roots, i);
      }
      if (rule.if_matched_sid != 0) by_sid[rule.if_matched_sid];
      if (!rule.if_matched_group.empty()) by_group[rule.if_matched_group];
    }
  }

  [[nodiscard]] static bool conditions_hold(const Rule& rule, std::string_view text,
                                            const DecodedLine& line) {
    if (rule.decoded_as_json && !line.json) return false;
    if (rule.action && line.action != rule.action) return false;
    if (rule.action_pattern && (!line.action || !rule.action_pattern->matches(*line.action)))
      return false;
    for (const FieldTest& test : rule.fields) {
      const std::string* value = line.field(test.name);
      // An absent field fails a negated test as well.
      if (value == nullptr || test.pattern.matches(*value) == test.negate) return false;
    }
    return !rule.match || rule.match->matches(text);
  }

  // eventinfo.c:Search_LastSids and Search_LastGroups: newest first, until enough have been
  // counted.
  [[nodiscard]] std::optional<std::vector<SeenPtr>> enough_earlier(const Rule& rule,
                                                                   const Seen& now) {
    std::deque<SeenPtr>& list =
        rule.if_matched_sid != 0 ? by_sid[rule.if_matched_sid] : by_group[rule.if_matched_group];
    while (!list.empty() && list.front()->forgotten) list.pop_front();
    std::vector<SeenPtr> counted;
    for (auto it = list.rbegin(); it != list.rend(); ++it) {
      const Seen& earlier = **it;
      if (now.arrival_s - earlier.arrival_s > rule.timeframe_s) return std::nullopt;
      if (earlier.agent != now.agent) continue;
      const bool same = std::all_of(
          rule.same_fields.begin(), rule.same_fields.end(), [&](const std::string& name) {
            const std::string* mine = now.line.field(name);
            const std::string* theirs = earlier.line.field(name);
            return mine != nullptr && theirs != nullptr && *mine == *theirs;
          });
      if (!same) continue;
      if (earlier.matched >= rule.level) return std::nullopt;
      counted.push_back(*it);
      if (counted.size() == static_cast<std::size_t>(rule.frequency) - 1) return counted;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Fired> first_match(const std::vector<Node>& nodes,
                                                 std::string_view text, const Seen& now) {
    for (const Node& node : nodes) {
      const Rule& rule = set.rules[node.rule];
      if (!conditions_hold(rule, text, now.line)) continue;
      Fired fired{node.rule, {}};
      if (rule.correlates()) {
        auto counted = enough_earlier(rule, now);
        if (!counted) continue;
        fired.counted = std::move(*counted);
      }
      if (auto deeper = first_match(node.children, text, now)) return deeper;
      return fired;
    }
    return std::nullopt;
  }

  // analysisd.c:w_process_event_thread: a rule named in if_matched_sid does not feed the groups.
  void remember(const Rule& rule, const SeenPtr& event) {
    memory.push_back(event);
    if (memory.size() > kMemoryMax) {
      memory.front()->forgotten = true;
      memory.pop_front();
    }
    if (const auto sid = by_sid.find(rule.id); sid != by_sid.end()) {
      sid->second.push_back(event);
      return;
    }
    for (auto& [group, list] : by_group) {
      if (rule.in_group(group)) list.push_back(event);
    }
  }

  // Golden runs: while a rule is ignored it is still the one reported, without an alert.
  bool silenced(const Rule& rule, std::int64_t now_s) {
    if (rule.ignore_s == 0) return false;
    const auto [at, first] = fired_at.try_emplace(rule.id, now_s);
    if (first) return false;
    if (now_s - at->second < rule.ignore_s) return true;
    at->second = now_s;
    return false;
  }
};

namespace {

std::string expand(std::string_view text, const DecodedLine& line) {
  std::string out;
  for (;;) {
    const std::size_t open = text.find("$(");
    const std::size_t close = open == std::string_view::npos ? open : text.find(')', open);
    if (close == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, open));
    const std::string_view name = text.substr(open + 2, close - open - 2);
    const std::string* value = name == "action" && line.action ? &*line.action : line.field(name);
    if (value != nullptr) out += *value;
    text.remove_prefix(close + 1);
  }
}

}  // namespace

Engine::Engine(Ruleset ruleset) : impl_(std::make_unique<Impl>()) {
  impl_->set = std::move(ruleset);
  impl_->build();
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

Outcome Engine::feed(std::string_view line, std::int64_t arrival_s, std::string_view agent) {
  const auto now =
      std::make_shared<Seen>(Seen{decode_line(line), arrival_s, std::string(agent), 0, false});
  const auto fired = impl_->first_match(impl_->roots, line, *now);
  if (!fired) return {};
  const Rule& rule = impl_->set.rules[fired->rule];
  for (const SeenPtr& counted : fired->counted) counted->matched = rule.level;
  if (rule.correlates()) now->matched = rule.level;
  const bool quiet = impl_->silenced(rule, arrival_s);
  if (rule.level > 0) impl_->remember(rule, now);
  return {rule.id, rule.level, rule.level >= kAlertLevel && !quiet,
          expand(rule.description, now->line), &rule};
}

}  // namespace lilith::wazuh
