#pragma once
// Wazuh rule files in the subset that rules on lilith's events use. What is outside of it is an
// error that names the element: a forecast from half a rule would be worth nothing.

#include "audit/base/result.hpp"
#include "wazuh/pattern.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::wazuh {

struct FieldTest {
  std::string name;
  Pattern pattern;
  bool negate = false;
};

struct Rule {
  int id = 0;
  int level = 0;
  std::string description;  // with $(field) unexpanded
  std::vector<std::string> groups;
  std::vector<std::string> mitre;

  bool decoded_as_json = false;
  std::vector<int> if_sid;
  std::optional<std::string> action;      // <action>TEXT</action>: the whole value
  std::optional<Pattern> action_pattern;  // <action type="pcre2">
  std::vector<FieldTest> fields;
  std::optional<Pattern> match;  // anywhere in the line

  int frequency = 0;  // fires at this many events; 0: no correlation
  std::int64_t timeframe_s = 360;
  std::int64_t ignore_s = 0;
  int if_matched_sid = 0;
  std::string if_matched_group;
  std::vector<std::string> same_fields;

  [[nodiscard]] bool correlates() const { return if_matched_sid != 0 || !if_matched_group.empty(); }
  [[nodiscard]] bool in_group(std::string_view name) const;
};

struct RuleFile {
  std::string name;  // for messages
  std::string text;
};

struct Ruleset {
  std::vector<Rule> rules;  // in file order
  std::vector<std::string>
      warnings;  // what Wazuh would warn of and drop: duplicate ids, unknown parents
};

// Errors are what makes wazuh-analysisd refuse to start (static field names, bad patterns, no
// description, ...) and elements that are not modelled; the message says which.
[[nodiscard]] Result<Ruleset> load_rules(const std::vector<RuleFile>& files);

}  // namespace lilith::wazuh
