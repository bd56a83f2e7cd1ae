#pragma once
// Wazuh rule files in the subset that rules on lilith's events use. What is outside of it is an
// error that names the element and its line: a forecast from half a rule would be worth nothing.

#include "audit/base/result.hpp"
#include "wazuh/pattern.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::wazuh {

// <field name="NAME">, or an element of a static field (<action>, <status>, <srcip>, ...), whose
// name is then the element's. An absent field fails the test, negated or not.
struct FieldTest {
  std::string name;
  Pattern pattern;
  bool negate = false;
};

// <list field="..." lookup="match_key">etc/lists/NAME</list>
struct ListTest {
  std::string field;
  std::string list;    // NAME, without its directory
  bool listed = true;  // false: not_match_key
};

struct Rule {
  int id = 0;
  int level = 0;
  std::string description;  // with $(field) unexpanded
  std::vector<std::string> groups;
  std::vector<std::string> mitre;

  bool decoded_as_json = false;
  std::vector<int> if_sid;
  std::string if_group;
  std::size_t bytes_min = 0;  // maxsize="N": the line has N bytes or more
  std::vector<FieldTest> statics;
  std::vector<FieldTest> fields;
  std::vector<ListTest> lists;
  std::optional<Pattern> match;  // anywhere in the line
  std::optional<Pattern> regex;  // likewise

  int frequency = 0;  // fires at this many events; 0: no correlation
  std::int64_t timeframe_s = 360;
  std::int64_t ignore_s = 0;
  int if_matched_sid = 0;
  std::string if_matched_group;
  std::vector<std::string> same_fields, different_fields;    // dynamic
  std::vector<std::string> same_statics, different_statics;  // <same_srcip/>, <different_action/>
  bool every_agent = false;                                  // <global_frequency/>

  bool overwrite = false;
  bool no_alert = false;      // noalert="1", <options>no_log</options>
  bool always_alert = false;  // <options>log_alert</options>

  // if_matched_group of later rules that count events of this one. Wazuh marks a rule when the
  // counting rule is read, so that rules behind that one do not count.
  std::vector<std::string> feeds_groups;

  [[nodiscard]] bool correlates() const { return if_matched_sid != 0 || !if_matched_group.empty(); }
  // Wazuh looks for the name anywhere in the rule's groups; it may be part of a longer one.
  [[nodiscard]] bool in_group(std::string_view name) const;
};

struct RuleFile {
  std::string name;  // for messages
  std::string text;
};

// CDB lists by name (the last part of their path): the keys.
using Lists = std::map<std::string, std::set<std::string, std::less<>>, std::less<>>;
// "key:value" or "key" a line, # comments and blank lines left out.
[[nodiscard]] std::set<std::string, std::less<>> list_keys(std::string_view text);

struct Ruleset {
  std::vector<Rule> rules;  // in file order
  Lists lists;
  std::vector<std::string> warnings;  // what Wazuh warns of, with its own number, and leaves out
};

// Fails on what makes wazuh-analysisd refuse to start (static field names, bad patterns, no
// description, ...) and on elements that are not modelled; the message has a line for each of them,
// "FILE:LINE: rule ID: why".
[[nodiscard]] Result<Ruleset> load_rules(const std::vector<RuleFile>& files, Lists lists = {});

// The rules of Wazuh's own ruleset (ruleset/rules/0020-syslog_rules.xml) that take a line of ours
// when no other rule does: a manager has them loaded first.
[[nodiscard]] RuleFile stock_rules();

}  // namespace lilith::wazuh
