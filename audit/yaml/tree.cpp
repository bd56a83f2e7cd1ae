// The only unit that includes libyaml. Its parser hands out events, which is what keeps duplicate
// keys, `<<`, tags and second documents in sight; docs/benchmarks.md has what loading costs.

#include "audit/yaml/tree.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <yaml.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

namespace lilith::yaml {

Node::Node() = default;
Node::Node(const Node&) = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(const Node&) = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;
namespace {

using Kind = Node::Kind;

// Above it, the keys of a map are found by hash instead of one by one.
constexpr std::size_t kFewKeys = 16;

std::string_view text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

// yaml_event_t with an owner.
class Event {
 public:
  Event() = default;
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  [[nodiscard]] yaml_event_t* raw() { return &event_; }
  [[nodiscard]] const yaml_event_t* operator->() const { return &event_; }

 private:
  yaml_event_t event_{};
};

class TreeBuilder {
 public:
  explicit TreeBuilder(std::vector<Problem>& problems) : problems_(problems) {}

  // One event; false: the file is not worth reading on.
  [[nodiscard]] bool take(const Event& event);
  [[nodiscard]] bool empty() const { return documents_ == 0; }
  Node root;

 private:
  struct Open {
    Node node;
    std::string anchor;
    bool has_key = false;
    Node key;
    std::unordered_set<std::string> keys;  // of a map with many
  };

  static Node leaf(Kind kind, const yaml_mark_t& mark) {
    Node node;
    node.kind = kind;
    node.line = static_cast<int>(mark.line) + 1;
    node.column = static_cast<int>(mark.column) + 1;
    return node;
  }
  static std::size_t nodes_in(const Node& node) {
    std::size_t total = 1;
    for (const Node& item : node.items) total += nodes_in(item);
    for (const auto& [key, value] : node.members) total += nodes_in(key) + nodes_in(value);
    return total;
  }
  void problem(const Node& at, std::string message) {
    problems_.push_back({at.line, at.column, std::move(message)});
  }
  bool count(std::size_t more, const Node& at, std::size_t max, std::size_t& total) {
    total += more;
    if (total <= max) return true;
    problem(at, "the file expands to more than " + std::to_string(max) + " nodes");
    return false;
  }
  void check_tag(const Node& at, std::string_view tag);
  [[nodiscard]] bool scalar(const Event& event);
  [[nodiscard]] bool alias(const Event& event);
  [[nodiscard]] bool open(Node node, std::string_view anchor);
  [[nodiscard]] bool close();
  [[nodiscard]] bool add(Node node, std::string_view anchor);
  void add_member(Open& parent, Node node);
  [[nodiscard]] static bool is_new_key(Open& parent, const std::string& key);

  std::vector<Problem>& problems_;
  std::vector<Open> stack_;
  std::unordered_map<std::string, Node> anchors_;
  int documents_ = 0;
  std::size_t nodes_ = 0, alias_nodes_ = 0;
};

bool TreeBuilder::take(const Event& event) {
  switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
      if (++documents_ == 2) {
        problem(leaf(Kind::kNull, event->start_mark),
                "a second document; a policy is one document");
      }
      return true;
    case YAML_SCALAR_EVENT:
      return scalar(event);
    case YAML_ALIAS_EVENT:
      return alias(event);
    case YAML_SEQUENCE_START_EVENT: {
      Node node = leaf(Kind::kSequence, event->start_mark);
      check_tag(node, text_of(event->data.sequence_start.tag));
      return open(std::move(node), text_of(event->data.sequence_start.anchor));
    }
    case YAML_MAPPING_START_EVENT: {
      Node node = leaf(Kind::kMap, event->start_mark);
      check_tag(node, text_of(event->data.mapping_start.tag));
      return open(std::move(node), text_of(event->data.mapping_start.anchor));
    }
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      return close();
    default:
      return true;
  }
}

// A scalar written as nothing, ~ or null stands for no value (YAML 1.2 section 10.2.1.1).
bool TreeBuilder::scalar(const Event& event) {
  constexpr std::array<std::string_view, 5> kNothing{"", "~", "null", "Null", "NULL"};
  const auto& data = event->data.scalar;
  const std::string_view tag = text_of(data.tag);
  Node node = leaf(Kind::kScalar, event->start_mark);
  check_tag(node, tag);
  node.scalar.assign(reinterpret_cast<const char*>(data.value), data.length);
  node.quoted = data.style != YAML_PLAIN_SCALAR_STYLE || tag == "!";
  if (!node.quoted && tag.empty() &&
      std::find(kNothing.begin(), kNothing.end(), node.scalar) != kNothing.end()) {
    node.kind = Kind::kNull;
    node.scalar.clear();
  }
  return add(std::move(node), text_of(data.anchor));
}

bool TreeBuilder::alias(const Event& event) {
  const std::string name(text_of(event->data.alias.anchor));
  const Node nothing = leaf(Kind::kNull, event->start_mark);
  const bool inside = std::any_of(stack_.begin(), stack_.end(),
                                  [&](const Open& one) { return one.anchor == name; });
  const auto found = anchors_.find(name);
  if (inside || found == anchors_.end()) {
    problem(nothing, inside ? "this alias stands inside its own anchor"
                            : "this alias has no anchor before it");
    return add(nothing, {});
  }
  if (!count(nodes_in(found->second), nothing, limits::kPolicyAliasNodesMax, alias_nodes_)) {
    return false;
  }
  Node copy = found->second;
  return add(std::move(copy), {});
}

void TreeBuilder::check_tag(const Node& at, std::string_view tag) {
  constexpr std::array<std::string_view, 8> kCore{"",
                                                  "!",
                                                  "tag:yaml.org,2002:str",
                                                  "tag:yaml.org,2002:int",
                                                  "tag:yaml.org,2002:bool",
                                                  "tag:yaml.org,2002:null",
                                                  "tag:yaml.org,2002:map",
                                                  "tag:yaml.org,2002:seq"};
  if (std::find(kCore.begin(), kCore.end(), tag) == kCore.end()) {
    problem(at, "the tag '" + printable(tag) + "' means nothing here; remove it");
  }
}

bool TreeBuilder::open(Node node, std::string_view anchor) {
  // YAML holds JSON, so the same depth is enough.
  if (stack_.size() >= limits::kJsonDepthMax) {
    problem(node, "lists and maps are nested more than " + std::to_string(limits::kJsonDepthMax) +
                      " deep");
    return false;
  }
  Open& added = stack_.emplace_back();
  added.node = std::move(node);
  added.anchor = anchor;
  return true;
}

bool TreeBuilder::close() {
  Open done = std::move(stack_.back());
  stack_.pop_back();
  return add(std::move(done.node), done.anchor);
}

bool TreeBuilder::add(Node node, std::string_view anchor) {
  if (!count(1, node, limits::kPolicyNodesMax, nodes_)) return false;
  if (!anchor.empty()) {
    // An anchor keeps a copy of all below it, and anchors nest.
    if (!count(nodes_in(node), node, limits::kPolicyAliasNodesMax, alias_nodes_)) return false;
    anchors_.insert_or_assign(std::string(anchor), node);
  }
  if (documents_ > 1) return true;
  if (stack_.empty()) {
    root = std::move(node);
  } else if (stack_.back().node.kind == Kind::kSequence) {
    stack_.back().node.items.push_back(std::move(node));
  } else {
    add_member(stack_.back(), std::move(node));
  }
  return true;
}

void TreeBuilder::add_member(Open& parent, Node node) {
  if (parent.has_key) {
    parent.node.members.emplace_back(std::move(parent.key), std::move(node));
    parent.has_key = false;
    return;
  }
  if (node.kind != Kind::kScalar) problem(node, "a key must be a plain word");
  if (node.scalar == "<<") problem(node, "merge keys (<<) are not supported; write it out");
  if (!is_new_key(parent, node.scalar)) {
    problem(node, "the key '" + printable(node.scalar) + "' stands twice in this map");
  }
  parent.key = std::move(node);
  parent.has_key = true;
}

bool TreeBuilder::is_new_key(Open& parent, const std::string& key) {
  const auto& members = parent.node.members;
  if (members.size() < kFewKeys) {
    return std::none_of(members.begin(), members.end(),
                        [&](const auto& member) { return member.first.scalar == key; });
  }
  if (parent.keys.empty()) {
    for (const auto& [known, value] : members) parent.keys.insert(known.scalar);
  }
  return parent.keys.insert(key).second;
}

// The first byte that has no place in a policy: control and bidi characters, invalid UTF-8, a byte
// order mark.
void check_bytes(std::string_view text, std::vector<Problem>& problems) {
  int line = 1;
  std::size_t start = 0;
  const auto report = [&](std::size_t at, const char* what) {
    problems.push_back({line, static_cast<int>(at - start) + 1, what});
  };
  if (text.starts_with("\xEF\xBB\xBF") || text.starts_with("\xFE\xFF") ||
      text.starts_with("\xFF\xFE")) {
    return report(0, "the file begins with a byte order mark; save it as plain UTF-8");
  }
  if (!is_valid_utf8(text)) {
    for (std::size_t at = 0, next = 0; at < text.size(); at = next) {
      next = std::min(text.find('\n', at), text.size() - 1) + 1;
      if (!is_valid_utf8(text.substr(at, next - at))) {
        start = at;
        return report(at, "this line is not UTF-8");
      }
      ++line;
    }
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == '\n') {
      ++line;
      start = at + 1;
    } else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7F) {
      return report(at, "a control character; remove it");
    } else if (c >= 0x80) {
      const std::string_view one = utf8_prefix(text.substr(at), 4);
      const std::string_view character = one.substr(0, (c & 0xE0) == 0xC0   ? 2
                                                       : (c & 0xF0) == 0xE0 ? 3
                                                                            : 4);
      // U+2028 and U+2029 end a line for YAML 1.1 and for no editor; U+FEFF shows nowhere.
      const bool hidden =
          character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9" || character == "\xEF\xBB\xBF";
      if (hidden || printable(character) != character) {
        return report(at, "an invisible control character (bidi, C1, line separator); remove it");
      }
      at += character.size() - 1;
    }
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text)
      : lines_(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
               (text.ends_with('\n') ? 0 : 1)),
        good_(yaml_parser_initialize(&parser_) == 1) {
    if (!good_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Parser() {
    if (good_) yaml_parser_delete(&parser_);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  [[nodiscard]] bool next(Event& event, std::vector<Problem>& problems) {
    if (good_ && yaml_parser_parse(&parser_, event.raw()) == 1) return true;
    if (!good_ || parser_.error == YAML_MEMORY_ERROR) {
      problems.push_back({1, 1, "no memory to read the file"});
      return false;
    }
    std::string message = "not YAML: ";
    if (parser_.context != nullptr) message += std::string(parser_.context) + ", ";
    message += parser_.problem == nullptr ? "it can't be read" : parser_.problem;
    // A reader's error has an offset and no mark; check_bytes() leaves none of those.
    // Of a key without its colon, the key is the place and not where the line after it begins.
    const bool key = message.find("simple key") != std::string::npos;
    const yaml_mark_t& mark = key ? parser_.context_mark : parser_.problem_mark;
    // What is missing at the end is missing on the last line, not on one that is not there.
    const bool behind = mark.line >= lines_;
    problems.push_back({static_cast<int>(behind ? lines_ : mark.line + 1),
                        behind ? 1 : static_cast<int>(mark.column) + 1, std::move(message)});
    return false;
  }

 private:
  yaml_parser_t parser_{};
  std::size_t lines_;
  bool good_;
};

}  // namespace

Node read(std::string_view text, std::vector<Problem>& problems) {
  check_bytes(text, problems);
  if (!problems.empty()) return {};
  TreeBuilder builder(problems);
  Parser parser(text);
  for (;;) {
    Event event;
    if (!parser.next(event, problems)) break;
    if (event->type == YAML_STREAM_END_EVENT || !builder.take(event)) break;
  }
  if (problems.empty() && (builder.empty() || builder.root.kind == Kind::kNull)) {
    problems.push_back({1, 1, "the file is empty"});
  }
  return std::move(builder.root);
}

}  // namespace lilith::yaml
