#include "wazuh/engine.hpp"

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
  std::vector<JsonDecoder> decoders;
  std::vector<Node> roots;
  std::deque<SeenPtr> memory;                           // the last kMemoryMax matched events
  std::map<int, std::deque<SeenPtr>> by_sid;            // for if_matched_sid, per named rule
  std::map<std::string, std::deque<SeenPtr>> by_group;  // for if_matched_group, per named group
  std::map<int, std::int64_t> fired_at;                 // for ignore
  std::set<std::string, std::less<>> fields_read;

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

  void note_fields(const Rule& rule) {
    for (const FieldTest& test : rule.fields) fields_read.insert(test.name);
    for (const ListTest& test : rule.lists) fields_read.insert(test.field);
    for (const auto* names : {&rule.same_fields, &rule.different_fields}) {
      fields_read.insert(names->begin(), names->end());
    }
  }

  void build() {
    for (std::size_t i = 0; i < set.rules.size(); ++i) {
      const Rule& rule = set.rules[i];
      note_fields(rule);
      if (!rule.if_sid.empty()) {
        attach(roots, i, [&](const Rule& other) {
          return std::find(rule.if_sid.begin(), rule.if_sid.end(), other.id) != rule.if_sid.end();
        });
      } else if (!rule.if_group.empty()) {
        attach(roots, i, [&](const Rule& other) { return other.in_group(rule.if_group); });
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

  [[nodiscard]] bool text_holds(const Rule& rule, std::string_view text) const {
    return text.size() >= rule.bytes_min && (!rule.match || rule.match->matches(text)) &&
           (!rule.regex || rule.regex->matches(text));
  }

  [[nodiscard]] bool fields_hold(const Rule& rule, const DecodedLine& line) const {
    if (rule.decoded_as_json && !line.json) return false;
    // An absent field fails a negated test as well.
    const auto holds = [](const FieldTest& test, const std::string* value) {
      return value != nullptr && test.pattern.matches(*value) != test.negate;
    };
    for (const FieldTest& test : rule.statics) {
      if (!holds(test, line.static_field(test.name))) return false;
    }
    for (const FieldTest& test : rule.fields) {
      if (!holds(test, line.field(test.name))) return false;
    }
    for (const ListTest& test : rule.lists) {
      const std::string* value = line.field(test.field);
      const auto list = set.lists.find(test.list);
      if (value == nullptr || list == set.lists.end()) return false;
      if (list->second.contains(*value) != test.listed) return false;
    }
    return true;
  }

  // Could a rule that looks at the text be asked? Whether counting rules fire is left open.
  [[nodiscard]] bool reaches_text(const std::vector<Node>& nodes, const DecodedLine& line) const {
    for (const Node& node : nodes) {
      const Rule& rule = set.rules[node.rule];
      if (!fields_hold(rule, line)) continue;
      if (rule.match || rule.regex || rule.bytes_min > 0) return true;
      if (reaches_text(node.children, line)) return true;
      if (!rule.correlates()) return false;
    }
    return false;
  }

  // eventinfo.c: what is to be the same must be there in both events; what is to differ may be
  // absent.
  [[nodiscard]] static bool comparable(const Rule& rule, const DecodedLine& mine,
                                       const DecodedLine& theirs) {
    const auto equal = [](const std::string* a, const std::string* b) {
      return a != nullptr && b != nullptr && *a == *b;
    };
    const auto dynamic = [&](const std::string& name) {
      return equal(mine.field(name), theirs.field(name));
    };
    const auto fixed = [&](const std::string& name) {
      return equal(mine.static_field(name), theirs.static_field(name));
    };
    return std::all_of(rule.same_fields.begin(), rule.same_fields.end(), dynamic) &&
           std::none_of(rule.different_fields.begin(), rule.different_fields.end(), dynamic) &&
           std::all_of(rule.same_statics.begin(), rule.same_statics.end(), fixed) &&
           std::none_of(rule.different_statics.begin(), rule.different_statics.end(), fixed);
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
      if (!rule.every_agent && earlier.agent != now.agent) continue;
      if (!comparable(rule, now.line, earlier.line)) continue;
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
      if (!fields_hold(rule, now.line) || !text_holds(rule, text)) continue;
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
    for (const std::string& group : rule.feeds_groups) by_group[group].push_back(event);
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
    const std::string* value = line.static_field(name);
    if (value == nullptr) value = line.field(name);
    if (value != nullptr) out += *value;
    text.remove_prefix(close + 1);
  }
}

}  // namespace

Engine::Engine(Ruleset ruleset, std::vector<JsonDecoder> decoders)
    : impl_(std::make_unique<Impl>()) {
  impl_->set = std::move(ruleset);
  impl_->decoders = std::move(decoders);
  impl_->build();
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

Outcome Engine::feed(std::string_view line, std::int64_t arrival_s, std::string_view agent) {
  return feed(decode(line), line, arrival_s, agent);
}

Outcome Engine::feed(const DecodedLine& line, std::string_view text, std::int64_t arrival_s,
                     std::string_view agent) {
  const auto now = std::make_shared<Seen>(Seen{line, arrival_s, std::string(agent), 0, false});
  const auto fired = impl_->first_match(impl_->roots, text, *now);
  if (!fired) return {};
  const Rule& rule = impl_->set.rules[fired->rule];
  // The newest one stands for all: whoever looks back stops there.
  if (!fired->counted.empty()) fired->counted.front()->matched = rule.level;
  if (rule.correlates()) now->matched = rule.level;
  const bool quiet = impl_->silenced(rule, arrival_s);
  if (rule.level > 0) impl_->remember(rule, now);
  const bool wanted = (rule.level >= kAlertLevel || rule.always_alert) && !rule.no_alert;
  return {rule.id, rule.level, wanted && !quiet, expand(rule.description, now->line), &rule};
}

DecodedLine Engine::decode(std::string_view line) const {
  return decode_line(line, impl_->decoders);
}

bool Engine::needs_text(const DecodedLine& line) const {
  return impl_->reaches_text(impl_->roots, line);
}

const std::set<std::string, std::less<>>& Engine::fields_read() const { return impl_->fields_read; }

}  // namespace lilith::wazuh
