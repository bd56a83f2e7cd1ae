#include "wazuh/ruleset.hpp"

#include "audit/base/text.hpp"
#include "wazuh/decode.hpp"

#include <pugixml.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace lilith::wazuh {
namespace {

constexpr int kLevelMax = 16;
constexpr int kFrequencyMin = 2;
constexpr int kFrequencyMax = 9999;
constexpr int kTimeframeMax = 99'999;  // five digits
constexpr int kMaxSizeMax = 9999;
constexpr int kIgnoreMax = 999'999;
constexpr int kIdMax = 999'999;  // six digits
constexpr std::size_t kProblemsMax = 50;

// The elements of static fields that this model decodes (decode.hpp), with their default pattern
// kind (rules.c, w_check_attr_type). hostname, program_name, location and the GeoIP ones describe
// how a line came and are not modelled.
struct StaticElement {
  std::string_view element, field;
  PatternKind kind;
};
constexpr std::array kStaticElements{
    StaticElement{"action", "action", PatternKind::kWhole},
    StaticElement{"srcip", "srcip", PatternKind::kAddress},
    StaticElement{"dstip", "dstip", PatternKind::kAddress},
    StaticElement{"srcport", "srcport", PatternKind::kOsMatch},
    StaticElement{"dstport", "dstport", PatternKind::kOsMatch},
    StaticElement{"user", "user", PatternKind::kOsMatch},
    StaticElement{"url", "url", PatternKind::kOsMatch},
    StaticElement{"id", "id", PatternKind::kOsMatch},
    StaticElement{"status", "status", PatternKind::kOsMatch},
    StaticElement{"protocol", "protocol", PatternKind::kOsMatch},
    StaticElement{"data", "data", PatternKind::kOsMatch},
    StaticElement{"extra_data", "extra_data", PatternKind::kOsMatch},
    StaticElement{"system_name", "systemname", PatternKind::kOsMatch},
};

// <same_X/> and <different_X/> compare these static fields.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kCompared{
    {{"srcip", "srcip"},
     {"source_ip", "srcip"},
     {"dstip", "dstip"},
     {"srcport", "srcport"},
     {"src_port", "srcport"},
     {"dstport", "dstport"},
     {"dst_port", "dstport"},
     {"user", "dstuser"},
     {"srcuser", "srcuser"},
     {"protocol", "protocol"},
     {"action", "action"},
     {"url", "url"},
     {"id", "id"},
     {"status", "status"}}};

// Options without a part in which rule fires or whether it alerts.
constexpr std::array<std::string_view, 5> kQuietOptions{"alert_by_email", "no_email_alert", "no_ar",
                                                        "no_full_log", "no_counter"};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

constexpr std::string_view kBlanks = " \t\r\n";

std::vector<std::string> split(std::string_view list, std::string_view separators) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(separators), list.size());
    const std::string_view item = trimmed(list.substr(0, end), kBlanks);
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

std::string place(const RuleFile& file, std::ptrdiff_t offset) {
  const auto end =
      file.text.begin() +
      std::clamp<std::ptrdiff_t>(offset, 0, static_cast<std::ptrdiff_t>(file.text.size()));
  return file.name + ":" + std::to_string(1 + std::count(file.text.begin(), end, '\n'));
}

// Reads one <rule>; whatever is wrong with it goes to `problems`, all of it.
class RuleReader {
 public:
  RuleReader(const RuleFile& file, std::string_view outer_groups,
             std::vector<std::string>& problems)
      : file_(file), problems_(problems) {
    rule_.groups = split(outer_groups, ",");
  }
  // Nothing when there were problems.
  std::optional<Rule> read(const pugi::xml_node& node) {
    const std::size_t before = problems_.size();
    rule_.id = number(node.attribute("id").as_string(), 1, kIdMax).value_or(0);
    attributes(node);
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() == pugi::node_element) element(child);
    }
    if (rule_.description.empty()) problem(node, "no description");
    const bool context = !rule_.same_fields.empty() || !rule_.different_fields.empty() ||
                         !rule_.same_statics.empty() || !rule_.different_statics.empty();
    if ((rule_.frequency != 0 || context) && !rule_.correlates()) {
      problem(node, "frequency, same_* or different_* without if_matched_sid or if_matched_group");
    }
    if (rule_.correlates() && rule_.frequency == 0) {
      unsupported(node, "if_matched_* without frequency");
    }
    if (problems_.size() != before) return std::nullopt;
    return std::move(rule_);
  }

 private:
  void problem(const pugi::xml_node& node, const std::string& why) {
    problems_.push_back(place(file_, node.offset_debug()) + ": rule " +
                        (rule_.id == 0 ? std::string("?") : std::to_string(rule_.id)) + ": " + why);
  }
  void unsupported(const pugi::xml_node& node, const std::string& what) {
    problem(node, "not supported: " + what);
  }
  void attributes(const pugi::xml_node& node);
  void element(const pugi::xml_node& node);
  bool plain(std::string_view name, const pugi::xml_node& node, const std::string& text);
  bool parent(std::string_view name, const pugi::xml_node& node, const std::string& text);
  bool condition(std::string_view name, const pugi::xml_node& node, const std::string& text);
  bool comparison(std::string_view name, const std::string& text);
  void field(const pugi::xml_node& node, const std::string& text);
  void list(const pugi::xml_node& node, const std::string& text);
  void options(const pugi::xml_node& node, const std::string& text);
  void only_attributes(const pugi::xml_node& node,
                       std::initializer_list<std::string_view> allowed) {
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      if (std::find(allowed.begin(), allowed.end(), attribute.name()) == allowed.end()) {
        unsupported(node,
                    std::string("attribute '") + attribute.name() + "' of <" + node.name() + ">");
      }
    }
  }
  std::optional<Pattern> pattern(const pugi::xml_node& node, PatternKind fallback,
                                 const std::string& text);
  [[nodiscard]] static bool negated(const pugi::xml_node& node) {
    return lower(node.attribute("negate").as_string()) == "yes";
  }

  const RuleFile& file_;
  std::vector<std::string>& problems_;
  Rule rule_;
  std::string match_text_, regex_text_;
};

std::optional<Pattern> RuleReader::pattern(const pugi::xml_node& node, PatternKind fallback,
                                           const std::string& text) {
  const std::string type = lower(node.attribute("type").as_string());
  PatternKind kind = fallback;
  if (type == "pcre2") {
    kind = PatternKind::kPcre2;
  } else if (type == "osregex") {
    kind = PatternKind::kOsRegex;
  } else if (type == "osmatch") {
    kind = PatternKind::kOsMatch;
  } else if (!type.empty()) {
    problem(node, "type '" + type + "' is not a pattern type");
  }
  auto compiled = Pattern::compile(kind, text);
  if (compiled) return std::move(*compiled);
  problem(node, compiled.error().message);
  return std::nullopt;
}

void RuleReader::attributes(const pugi::xml_node& node) {
  struct Bound {
    std::string_view name;
    int min, max;
    int* into;
  };
  int timeframe = static_cast<int>(rule_.timeframe_s);
  int ignore = 0, no_alert = 0, bytes_min = 0;
  const Bound bounds[] = {{"id", 1, kIdMax, &rule_.id},
                          {"level", 0, kLevelMax, &rule_.level},
                          {"frequency", kFrequencyMin, kFrequencyMax, &rule_.frequency},
                          {"timeframe", 1, kTimeframeMax, &timeframe},
                          {"noalert", 0, 1, &no_alert},
                          {"maxsize", 1, kMaxSizeMax, &bytes_min},
                          {"ignore", 1, kIgnoreMax, &ignore}};
  for (const pugi::xml_attribute& attribute : node.attributes()) {
    const std::string_view value = attribute.value();
    if (std::string_view(attribute.name()) == "overwrite") {
      rule_.overwrite = value == "yes";
      if (value != "yes" && value != "no")
        problem(node, "bad overwrite '" + std::string(value) + "'");
      continue;
    }
    const auto* bound = std::find_if(std::begin(bounds), std::end(bounds),
                                     [&](const Bound& b) { return b.name == attribute.name(); });
    if (bound == std::end(bounds)) {
      unsupported(node, std::string("attribute '") + attribute.name() + "' of <rule>");
      continue;
    }
    const auto parsed = number(value, bound->min, bound->max);
    if (!parsed) {
      problem(node, std::string("bad ") + attribute.name() + " '" + std::string(value) + "'");
      continue;
    }
    *bound->into = *parsed;
  }
  rule_.timeframe_s = timeframe;
  rule_.ignore_s = ignore;
  rule_.no_alert = no_alert != 0;
  rule_.bytes_min = static_cast<std::size_t>(bytes_min);
  if (node.attribute("id").empty() || node.attribute("level").empty())
    problem(node, "id or level is missing");
}

void RuleReader::element(const pugi::xml_node& node) {
  const std::string name = lower(node.name());
  const std::string text = node.text().get();
  if (plain(name, node, text) || parent(name, node, text) || condition(name, node, text) ||
      comparison(name, text)) {
    return;
  }
  unsupported(node, std::string("<") + node.name() + ">");
}

// What the alert says.
bool RuleReader::plain(std::string_view name, const pugi::xml_node& node, const std::string& text) {
  if (name == "description") {
    rule_.description = text;
  } else if (name == "group") {
    for (std::string& group : split(text, ",")) rule_.groups.push_back(std::move(group));
  } else if (name == "mitre") {
    for (const pugi::xml_node& id : node.children("id")) rule_.mitre.emplace_back(id.text().get());
  } else if (name == "options") {
    options(node, text);
  } else {
    return name == "info" || name == "cve";
  }
  return true;
}

void RuleReader::options(const pugi::xml_node& node, const std::string& text) {
  for (const std::string& option : split(text, ",")) {
    if (option == "no_log") {
      rule_.no_alert = true;
    } else if (option == "log_alert") {
      rule_.always_alert = true;
    } else if (std::find(kQuietOptions.begin(), kQuietOptions.end(), option) ==
               kQuietOptions.end()) {
      problem(node, "'" + option + "' is no option");
    }
  }
}

// Where the rule stands in the tree, and what it counts.
bool RuleReader::parent(std::string_view name, const pugi::xml_node& node,
                        const std::string& text) {
  if (name == "decoded_as") {
    rule_.decoded_as_json = text == "json";
    if (text != "json") unsupported(node, "<decoded_as>" + text + "</decoded_as>");
  } else if (name == "if_sid") {
    for (const std::string& item : split(text, ", ")) {
      const auto sid = number(item, 1, kIdMax);
      if (sid) rule_.if_sid.push_back(*sid);
      if (!sid) problem(node, "bad if_sid '" + item + "'");
    }
  } else if (name == "if_group") {
    rule_.if_group = text;
  } else if (name == "if_matched_sid") {
    rule_.if_matched_sid = number(text, 1, kIdMax).value_or(0);
    if (rule_.if_matched_sid == 0) problem(node, "bad if_matched_sid '" + text + "'");
  } else if (name == "if_matched_group") {
    rule_.if_matched_group = text;
  } else {
    return false;
  }
  return true;
}

// What the event must have.
bool RuleReader::condition(std::string_view name, const pugi::xml_node& node,
                           const std::string& text) {
  if (name == "field") {
    field(node, text);
    return true;
  }
  if (name == "list") {
    list(node, text);
    return true;
  }
  const auto* known = std::find_if(kStaticElements.begin(), kStaticElements.end(),
                                   [&](const StaticElement& e) { return e.element == name; });
  const bool of_line = name == "match" || name == "regex";
  if (known == kStaticElements.end() && !of_line) return false;
  only_attributes(node, {"type", "negate"});
  const PatternKind fallback = name == "match"   ? PatternKind::kOsMatch
                               : name == "regex" ? PatternKind::kOsRegex
                                                 : known->kind;
  if (of_line) {
    if (negated(node)) unsupported(node, "attribute 'negate' of <" + std::string(name) + ">");
    // Several elements of one name are one pattern (rules.c, loadmemory).
    std::string& whole = name == "match" ? match_text_ : regex_text_;
    whole += text;
    (name == "match" ? rule_.match : rule_.regex) = pattern(node, fallback, whole);
    return true;
  }
  if (std::any_of(rule_.statics.begin(), rule_.statics.end(),
                  [&](const FieldTest& test) { return test.name == known->field; })) {
    unsupported(node, "<" + std::string(name) + "> twice in one rule");
  }
  if (auto compiled = pattern(node, fallback, text)) {
    rule_.statics.push_back({std::string(known->field), std::move(*compiled), negated(node)});
  }
  return true;
}

void RuleReader::field(const pugi::xml_node& node, const std::string& text) {
  only_attributes(node, {"name", "type", "negate"});
  const std::string name = node.attribute("name").as_string();
  if (name.empty()) return problem(node, "<field> without name");
  // The message is Wazuh's own, so that whoever searches for it finds this.
  if (is_static_field(name)) {
    return problem(node, "Field '" + name + "' is static. (write <" + lower(name) + ">" + text +
                             "</" + lower(name) + ">)");
  }
  auto compiled = pattern(node, PatternKind::kOsRegex, text);
  if (compiled) rule_.fields.push_back({name, std::move(*compiled), negated(node)});
}

void RuleReader::list(const pugi::xml_node& node, const std::string& text) {
  only_attributes(node, {"field", "lookup"});
  const std::string_view lookup = node.attribute("lookup").as_string();
  const std::string name = node.attribute("field").as_string();
  if (name.empty()) return problem(node, "<list> without field");
  if (is_static_field(name)) return unsupported(node, "<list> on the static field '" + name + "'");
  if (!lookup.empty() && lookup != "match_key" && lookup != "not_match_key") {
    return unsupported(node, "lookup '" + std::string(lookup) + "' of <list>");
  }
  const std::string_view path = trimmed(text, kBlanks);
  rule_.lists.push_back(
      {name, std::string(path.substr(path.rfind('/') + 1)), lookup != "not_match_key"});
}

// What correlation compares between the event and earlier ones.
bool RuleReader::comparison(std::string_view name, const std::string& text) {
  if (name == "same_field") {
    rule_.same_fields.push_back(text);
  } else if (name == "different_field" || name == "not_same_field") {
    rule_.different_fields.push_back(text);
  } else if (name == "global_frequency") {
    rule_.every_agent = true;
  } else {
    const std::size_t bar = name.find('_');
    const std::string_view kind = name.substr(0, bar);
    const auto* known = std::find_if(kCompared.begin(), kCompared.end(), [&](const auto& row) {
      return row.first == name.substr(bar + 1);
    });
    if (bar == std::string_view::npos || known == kCompared.end()) return false;
    if (kind != "same" && kind != "different") return false;
    (kind == "same" ? rule_.same_statics : rule_.different_statics).emplace_back(known->second);
  }
  return true;
}

Rule* find(Ruleset& set, int id) {
  const auto at = std::find_if(set.rules.begin(), set.rules.end(),
                               [id](const Rule& rule) { return rule.id == id; });
  return at == set.rules.end() ? nullptr : &*at;
}

class Loader {
 public:
  explicit Loader(Lists lists) { set_.lists = std::move(lists); }
  void load(const RuleFile& file);
  Result<Ruleset> finish() {
    if (problems_.empty()) return std::move(set_);
    std::string message;
    for (std::size_t i = 0; i < problems_.size() && i < kProblemsMax; ++i) {
      message += (i == 0 ? "" : "\n") + problems_[i];
    }
    if (problems_.size() > kProblemsMax) {
      message += "\n... and " + std::to_string(problems_.size() - kProblemsMax) + " more";
    }
    return fail(ErrorCode::kInvalidInput, message);
  }

 private:
  void add(const std::string& where, Rule rule);
  bool overwrite(const std::string& where, Rule& rule);
  bool has_its_parents(const std::string& where, Rule& rule);
  bool has_its_lists(const std::string& where, const Rule& rule);

  Ruleset set_;
  std::vector<std::string> problems_;
};

void Loader::load(const RuleFile& file) {
  pugi::xml_document document;
  // A rule file may hold several <group> elements side by side, which is a fragment and no
  // document.
  const auto parsed = document.load_buffer(file.text.data(), file.text.size(),
                                           pugi::parse_default | pugi::parse_fragment);
  if (!parsed) {
    problems_.push_back(place(file, parsed.offset) + ": " + parsed.description());
    return;
  }
  if (document.select_nodes("/*").empty() && !trimmed(file.text, kBlanks).empty()) {
    problems_.push_back(place(file, 0) + ": there is no <group> of rules in it");
  }
  for (const pugi::xml_node& group : document.children()) {
    if (group.type() != pugi::node_element) continue;
    if (lower(group.name()) != "group") {
      const bool is_var = lower(group.name()) == "var";
      problems_.push_back(place(file, group.offset_debug()) +
                          (is_var ? ": not supported: <var>"
                                  : ": Invalid root element \"" + std::string(group.name()) +
                                        "\". Only \"group\" is allowed"));
      continue;
    }
    if (group.attribute("name").empty()) {
      problems_.push_back(place(file, group.offset_debug()) + ": <group> without name");
    }
    for (const pugi::xml_node& node : group.children()) {
      if (node.type() != pugi::node_element) continue;
      const std::string where = place(file, node.offset_debug());
      if (lower(node.name()) != "rule") {
        problems_.push_back(where + ": '" + node.name() + "' is not a valid element");
        continue;
      }
      auto rule = RuleReader(file, group.attribute("name").as_string(), problems_).read(node);
      if (rule) add(where + ": rule " + std::to_string(rule->id), std::move(*rule));
    }
  }
}

// The numbers are those of Wazuh's own warnings (src/error_messages/warning_messages.h).
void Loader::add(const std::string& where, Rule rule) {
  if (!has_its_lists(where, rule)) return;
  if (rule.overwrite && overwrite(where, rule)) return;
  if (!rule.overwrite && find(set_, rule.id) != nullptr) {
    set_.warnings.push_back(where + " (7612): the id is duplicated; the first one counts");
    return;
  }
  if (!has_its_parents(where, rule)) return;
  if (!rule.if_matched_group.empty()) {
    for (Rule& earlier : set_.rules) {
      if (earlier.in_group(rule.if_matched_group)) {
        earlier.feeds_groups.push_back(rule.if_matched_group);
      }
    }
  }
  set_.rules.push_back(std::move(rule));
}

// rules_list.c, OS_AddRuleInfo: everything is replaced but the place in the tree and what is
// counted.
bool Loader::overwrite(const std::string& where, Rule& rule) {
  Rule* old = find(set_, rule.id);
  if (old == nullptr) {
    set_.warnings.push_back(where + " (7613): there is no rule to overwrite; loaded as a new one");
    return false;
  }
  if ((!rule.if_sid.empty() && rule.if_sid != old->if_sid) ||
      (!rule.if_group.empty() && rule.if_group != old->if_group) ||
      (rule.if_matched_sid != 0 && rule.if_matched_sid != old->if_matched_sid) ||
      (!rule.if_matched_group.empty() && rule.if_matched_group != old->if_matched_group)) {
    set_.warnings.push_back(where + " (7605): its parents can't be overwritten and stay");
  }
  rule.if_sid = old->if_sid;
  rule.if_group = old->if_group;
  rule.if_matched_sid = old->if_matched_sid;
  rule.if_matched_group = old->if_matched_group;
  rule.feeds_groups = old->feeds_groups;
  *old = std::move(rule);
  return true;
}

bool Loader::has_its_parents(const std::string& where, Rule& rule) {
  const auto in_any_rule = [this](const std::string& group) {
    return std::any_of(set_.rules.begin(), set_.rules.end(),
                       [&](const Rule& other) { return other.in_group(group); });
  };
  std::vector<int> known;
  for (const int sid : rule.if_sid) {
    if (find(set_, sid) != nullptr) {
      known.push_back(sid);
    } else {
      set_.warnings.push_back(where + " (7617): rule " + std::to_string(sid) +
                              " of its if_sid was not read before");
    }
  }
  const bool orphan = !rule.if_sid.empty() && known.empty();
  rule.if_sid = std::move(known);
  if (orphan) {
    set_.warnings.push_back(where + " (7619): no parent is left; ignored");
    return false;
  }
  if (rule.if_matched_sid != 0 && find(set_, rule.if_matched_sid) == nullptr) {
    set_.warnings.push_back(where + " (7620): rule " + std::to_string(rule.if_matched_sid) +
                            " of its if_matched_sid was not read before; ignored");
    return false;
  }
  for (const std::string* group : {&rule.if_group, &rule.if_matched_group}) {
    if (group->empty() || in_any_rule(*group)) continue;
    set_.warnings.push_back(where + ": no rule before it has the group '" + *group + "'; ignored");
    return false;
  }
  return true;
}

bool Loader::has_its_lists(const std::string& where, const Rule& rule) {
  for (const ListTest& test : rule.lists) {
    if (set_.lists.contains(test.list)) continue;
    set_.warnings.push_back(where + " (7616): list '" + test.list +
                            "' could not be loaded; ignored");
    return false;
  }
  return true;
}

}  // namespace

bool Rule::in_group(std::string_view name) const {
  std::string joined;
  for (const std::string& group : groups) joined += group + ",";
  return joined.find(name) != std::string::npos;
}

std::set<std::string, std::less<>> list_keys(std::string_view text) {
  std::set<std::string, std::less<>> out;
  for (const std::string& line : split(text, "\n")) {
    if (line.starts_with('#')) continue;
    // A key that holds a colon stands in quotes.
    const std::size_t quote = line.starts_with('"') ? line.find('"', 1) : std::string::npos;
    out.insert(quote != std::string::npos ? line.substr(1, quote - 1)
                                          : line.substr(0, line.find(':')));
  }
  return out;
}

RuleFile stock_rules() {
  return {"stock rules of Wazuh", R"(<group name="syslog,errors,">
  <rule id="1002" level="2">
    <match>core_dumped|failure|error|attack| bad |illegal |denied|refused|</match>
    <match>unauthorized|fatal|failed|Segmentation Fault|Corrupted</match>
    <description>Unknown problem somewhere in the system.</description>
  </rule>
  <rule id="1003" level="13" maxsize="1025" noalert="1">
    <description>Non standard syslog message (size too large).</description>
  </rule>
  <rule id="1007" level="7">
    <match>file system full|No space left on device</match>
    <description>File system full.</description>
  </rule>
  <rule id="1008" level="5">
    <match>killed by SIGTERM</match>
    <description>Process exiting (killed).</description>
  </rule>
  <rule id="1010" level="5">
    <match>segfault at </match>
    <description>Process segfaulted.</description>
  </rule>
</group>
)"};
}

Result<Ruleset> load_rules(const std::vector<RuleFile>& files, Lists lists) {
  Loader loader(std::move(lists));
  for (const RuleFile& file : files) loader.load(file);
  return loader.finish();
}

}  // namespace lilith::wazuh
