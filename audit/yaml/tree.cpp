// The only unit that includes yaml-cpp; its exceptions stop here.

#include "audit/yaml/tree.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>

namespace lilith::yaml {

Node::Node() = default;
Node::Node(const Node&) = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(const Node&) = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;
namespace {

using Kind = Node::Kind;

class TooMany {};  // thrown by TreeBuilder out of yaml-cpp's parser, caught in read()

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::vector<Problem>& problems) : problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) problem(mark, "a second document; a policy is one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(leaf(Kind::kNull, mark), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      problem(mark, "this alias stands inside its own anchor");
      add(leaf(Kind::kNull, mark), 0);
      return;
    }
    count(nodes_in(found->second), mark, limits::kPolicyAliasNodesMax, alias_nodes_);
    Node copy = found->second;
    add(std::move(copy), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node = leaf(Kind::kScalar, mark);
    node.scalar = value;
    node.quoted = tag == "!";
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(leaf(Kind::kSequence, mark), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(leaf(Kind::kMap, mark), anchor);
  }
  void OnMapEnd() override { close(); }

  [[nodiscard]] bool empty() const { return documents_ == 0; }
  Node root;

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    Node key;
    std::set<std::string> keys;
  };

  static Node leaf(Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  static std::size_t nodes_in(const Node& node) {
    std::size_t total = 1;
    for (const Node& item : node.items) total += nodes_in(item);
    for (const auto& [key, value] : node.members) total += nodes_in(key) + nodes_in(value);
    return total;
  }
  void problem(const YAML::Mark& mark, std::string message) {
    problems_.push_back({mark.line + 1, mark.column + 1, std::move(message)});
  }
  void count(std::size_t more, const YAML::Mark& mark, std::size_t max, std::size_t& total) {
    total += more;
    if (total <= max) return;
    problem(mark, "the file expands to more than " + std::to_string(max) + " nodes");
    throw TooMany();
  }
  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    constexpr std::array<std::string_view, 9> kCore{"",
                                                    "?",
                                                    "!",
                                                    "tag:yaml.org,2002:str",
                                                    "tag:yaml.org,2002:int",
                                                    "tag:yaml.org,2002:bool",
                                                    "tag:yaml.org,2002:null",
                                                    "tag:yaml.org,2002:map",
                                                    "tag:yaml.org,2002:seq"};
    if (std::find(kCore.begin(), kCore.end(), tag) == kCore.end()) {
      problem(mark, "the tag '" + printable(tag) + "' means nothing here; remove it");
    }
  }
  void open(Node node, YAML::anchor_t anchor) {
    Open open;
    open.node = std::move(node);
    open.anchor = anchor;
    stack_.push_back(std::move(open));
  }
  void close() {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(done.node), done.anchor);
  }
  void add(Node node, YAML::anchor_t anchor) {
    const YAML::Mark mark = mark_of(node);
    count(1, mark, limits::kPolicyNodesMax, nodes_);
    if (anchor != 0) {
      // An anchor keeps a copy of all below it, and anchors nest.
      count(nodes_in(node), mark, limits::kPolicyAliasNodesMax, alias_nodes_);
      anchors_[anchor] = node;
    }
    if (documents_ > 1) return;
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.kind == Kind::kSequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      if (node.kind != Kind::kScalar) problem(mark, "a key must be a plain word");
      if (node.scalar == "<<") problem(mark, "merge keys (<<) are not supported; write it out");
      if (!parent.keys.insert(node.scalar).second) {
        problem(mark, "the key '" + printable(node.scalar) + "' stands twice in this map");
      }
      parent.key = std::move(node);
      parent.has_key = true;
    } else {
      parent.node.members.emplace_back(std::move(parent.key), std::move(node));
      parent.has_key = false;
    }
  }
  static YAML::Mark mark_of(const Node& node) {
    YAML::Mark mark;
    mark.line = node.line - 1;
    mark.column = node.column - 1;
    return mark;
  }

  std::vector<Problem>& problems_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, Node> anchors_;
  int documents_ = 0;
  std::size_t nodes_ = 0, alias_nodes_ = 0;
};

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
      if (printable(character) != character) {
        return report(at, "an invisible control character (bidi or C1); remove it");
      }
      at += character.size() - 1;
    }
  }
}

}  // namespace

Node read(std::string_view text, std::vector<Problem>& problems) {
  check_bytes(text, problems);
  if (!problems.empty()) return {};
  TreeBuilder builder(problems);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    problems.push_back({error.mark.line + 1, error.mark.column + 1, "not YAML: " + error.msg});
  } catch (const TooMany&) {
    // Reported where it was noticed.
  }
  if (problems.empty() && (builder.empty() || builder.root.kind == Kind::kNull)) {
    problems.push_back({1, 1, "the file is empty"});
  }
  return std::move(builder.root);
}

}  // namespace lilith::yaml
