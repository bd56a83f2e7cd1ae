#include "wazuh/ruleset.hpp"

#include "wazuh/decode.hpp"

#include <pugixml.hpp>

#include <algorithm>
#include <charconv>

namespace lilith::wazuh {
namespace {

constexpr int kLevelMax = 16;
constexpr int kFrequencyMin = 2;
constexpr int kFrequencyMax = 9999;
constexpr int kTimeframeMax = 99'999;  // five digits
constexpr int kIdMax = 999'999;        // six digits

std::unexpected<Error> refuse(const RuleFile& file, int id, const std::string& why) {
  return fail(
      ErrorCode::kInvalidInput,
      file.name + ": rule " + (id == 0 ? std::string("?") : std::to_string(id)) + ": " + why);
}

std::vector<std::string> split(std::string_view list, char separator) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(separator), list.size());
    std::string_view item = list.substr(0, end);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

std::optional<int> number(std::string_view text, int min, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max)
    return std::nullopt;
  return value;
}

class RuleReader {
 public:
  RuleReader(const RuleFile& file, std::string_view outer_groups) : file_(file) {
    rule_.groups = split(outer_groups, ',');
  }
  Result<Rule> read(const pugi::xml_node& node) {
    if (auto done = attributes(node); !done) return pass_error(done);
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      if (auto done = element(child); !done) return pass_error(done);
    }
    if (rule_.description.empty()) return refuse(file_, rule_.id, "no description");
    if (rule_.frequency != 0 && !rule_.correlates()) {
      return refuse(file_, rule_.id, "frequency without if_matched_sid or if_matched_group");
    }
    if (rule_.correlates() && rule_.frequency == 0) {
      return refuse(file_, rule_.id, "if_matched_* without frequency is not supported here");
    }
    return std::move(rule_);
  }

 private:
  Result<void> attributes(const pugi::xml_node& node);
  Result<void> element(const pugi::xml_node& node);
  Result<void> condition(const pugi::xml_node& node, std::string_view name,
                         const std::string& text);
  Result<void> field(const pugi::xml_node& node, const std::string& text);
  Result<void> only_attributes(const pugi::xml_node& node,
                               std::initializer_list<std::string_view> allowed) {
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      if (std::find(allowed.begin(), allowed.end(), attribute.name()) == allowed.end()) {
        return refuse(file_, rule_.id,
                      std::string("attribute '") + attribute.name() + "' of <" + node.name() +
                          "> is not supported here");
      }
    }
    return {};
  }
  // Pattern kind by the type attribute.
  Result<Pattern> pattern(const pugi::xml_node& node, PatternKind fallback,
                          const std::string& text) {
    const std::string_view type = node.attribute("type").as_string();
    PatternKind kind = fallback;
    if (type == "pcre2") {
      kind = PatternKind::kPcre2;
    } else if (type == "osregex") {
      kind = PatternKind::kOsRegex;
    } else if (type == "osmatch") {
      kind = PatternKind::kOsMatch;
    } else if (!type.empty()) {
      return refuse(file_, rule_.id, "type '" + std::string(type) + "' is not a pattern type");
    }
    auto compiled = Pattern::compile(kind, text);
    if (!compiled) return refuse(file_, rule_.id, compiled.error().message);
    return compiled;
  }

  const RuleFile& file_;
  Rule rule_;
};

Result<void> RuleReader::attributes(const pugi::xml_node& node) {
  struct Bound {
    std::string_view name;
    int min, max;
    int* into;
  };
  int timeframe = static_cast<int>(rule_.timeframe_s);
  int ignore = 0;
  const Bound bounds[] = {{"id", 1, kIdMax, &rule_.id},
                          {"level", 0, kLevelMax, &rule_.level},
                          {"frequency", kFrequencyMin, kFrequencyMax, &rule_.frequency},
                          {"timeframe", 1, kTimeframeMax, &timeframe},
                          {"ignore", 1, kTimeframeMax, &ignore}};
  for (const pugi::xml_attribute& attribute : node.attributes()) {
    const auto* bound = std::find_if(std::begin(bounds), std::end(bounds),
                                     [&](const Bound& b) { return b.name == attribute.name(); });
    if (bound == std::end(bounds)) {
      return refuse(file_, rule_.id,
                    std::string("attribute '") + attribute.name() + "' is not supported here");
    }
    const auto value = number(attribute.value(), bound->min, bound->max);
    if (!value) {
      return refuse(file_, rule_.id,
                    std::string("bad ") + attribute.name() + " '" + attribute.value() + "'");
    }
    *bound->into = *value;
  }
  rule_.timeframe_s = timeframe;
  rule_.ignore_s = ignore;
  if (rule_.id == 0 || node.attribute("level").empty())
    return refuse(file_, rule_.id, "id or level is missing");
  return {};
}

Result<void> RuleReader::element(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  const std::string text = node.text().get();
  if (name == "description") {
    rule_.description = text;
    return {};
  }
  if (name == "group") {
    for (std::string& group : split(text, ',')) rule_.groups.push_back(std::move(group));
    return {};
  }
  if (name == "mitre") {
    for (const pugi::xml_node& id : node.children("id")) rule_.mitre.emplace_back(id.text().get());
    return {};
  }
  if (name == "info" || name == "options") return {};  // no part in which rule fires
  return condition(node, name, text);
}

Result<void> RuleReader::condition(const pugi::xml_node& node, std::string_view name,
                                   const std::string& text) {
  if (name == "field") return field(node, text);
  if (auto done = only_attributes(node, {"type"}); !done) return done;
  if (name == "decoded_as") {
    if (text != "json")
      return refuse(file_, rule_.id, "decoded_as '" + text + "' is not supported here");
    rule_.decoded_as_json = true;
  } else if (name == "if_sid") {
    for (const std::string& item : split(text, ',')) {
      const auto sid = number(item, 1, kIdMax);
      if (!sid) return refuse(file_, rule_.id, "bad if_sid '" + item + "'");
      rule_.if_sid.push_back(*sid);
    }
  } else if (name == "action") {
    if (node.attribute("type").empty()) {
      rule_.action = text;
    } else {
      auto compiled = pattern(node, PatternKind::kPcre2, text);
      if (!compiled) return pass_error(compiled);
      rule_.action_pattern = std::move(*compiled);
    }
  } else if (name == "match") {
    auto compiled = pattern(node, PatternKind::kOsMatch, text);
    if (!compiled) return pass_error(compiled);
    rule_.match = std::move(*compiled);
  } else if (name == "if_matched_sid") {
    const auto sid = number(text, 1, kIdMax);
    if (!sid) return refuse(file_, rule_.id, "bad if_matched_sid '" + text + "'");
    rule_.if_matched_sid = *sid;
  } else if (name == "if_matched_group") {
    rule_.if_matched_group = text;
  } else if (name == "same_field") {
    rule_.same_fields.push_back(text);
  } else {
    return refuse(file_, rule_.id, "element <" + std::string(name) + "> is not supported here");
  }
  return {};
}

Result<void> RuleReader::field(const pugi::xml_node& node, const std::string& text) {
  if (auto done = only_attributes(node, {"name", "type", "negate"}); !done) return done;
  const std::string name = node.attribute("name").as_string();
  if (name.empty()) return refuse(file_, rule_.id, "<field> without name");
  // The message is Wazuh's own, so that whoever searches for it finds this.
  if (is_static_field(name)) return refuse(file_, rule_.id, "Field '" + name + "' is static.");
  auto compiled = pattern(node, PatternKind::kOsRegex, text);
  if (!compiled) return pass_error(compiled);
  const bool negate = std::string_view(node.attribute("negate").as_string()) == "yes";
  rule_.fields.push_back({name, std::move(*compiled), negate});
  return {};
}

bool knows(const Ruleset& set, int id) {
  return std::any_of(set.rules.begin(), set.rules.end(),
                     [id](const Rule& rule) { return rule.id == id; });
}

// What Wazuh warns of and leaves out; true when the rule stays.
bool keep(Ruleset& set, const RuleFile& file, const Rule& rule) {
  const std::string where = file.name + ": rule " + std::to_string(rule.id);
  if (knows(set, rule.id)) {
    set.warnings.push_back(where + " stands twice; the first one counts");
    return false;
  }
  std::vector<int> parents = rule.if_sid;
  if (rule.if_matched_sid != 0) parents.push_back(rule.if_matched_sid);
  for (const int parent : parents) {
    if (knows(set, parent)) continue;
    set.warnings.push_back(where + " names rule " + std::to_string(parent) +
                           ", which was not read before; dropped");
    return false;
  }
  if (!rule.if_matched_group.empty() &&
      std::none_of(set.rules.begin(), set.rules.end(),
                   [&](const Rule& other) { return other.in_group(rule.if_matched_group); })) {
    set.warnings.push_back(where + " names group " + rule.if_matched_group +
                           ", which no rule before it has; dropped");
    return false;
  }
  return true;
}

Result<void> load_file(const RuleFile& file, Ruleset& set) {
  pugi::xml_document document;
  // A rule file may hold several <group> elements side by side, which is a fragment and no
  // document.
  const auto parsed = document.load_buffer(file.text.data(), file.text.size(),
                                           pugi::parse_default | pugi::parse_fragment);
  if (!parsed) {
    return fail(ErrorCode::kInvalidInput, file.name + ": byte " + std::to_string(parsed.offset) +
                                              ": " + parsed.description());
  }
  for (const pugi::xml_node& group : document.children()) {
    if (group.type() != pugi::node_element) continue;
    if (std::string_view(group.name()) != "group") {
      return fail(ErrorCode::kInvalidInput,
                  file.name + ": <" + group.name() + "> is not supported here");
    }
    for (const pugi::xml_node& node : group.children()) {
      if (node.type() != pugi::node_element) continue;
      if (std::string_view(node.name()) != "rule") {
        return fail(ErrorCode::kInvalidInput,
                    file.name + ": <" + node.name() + "> is not supported here");
      }
      auto rule = RuleReader(file, group.attribute("name").as_string()).read(node);
      if (!rule) return pass_error(rule);
      if (keep(set, file, *rule)) set.rules.push_back(std::move(*rule));
    }
  }
  return {};
}

}  // namespace

bool Rule::in_group(std::string_view name) const {
  return std::find(groups.begin(), groups.end(), name) != groups.end();
}

Result<Ruleset> load_rules(const std::vector<RuleFile>& files) {
  Ruleset set;
  for (const RuleFile& file : files) {
    if (auto done = load_file(file, set); !done) return pass_error(done);
  }
  return set;
}

}  // namespace lilith::wazuh
