#include "rules/policy_compiled.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/yaml/tree.hpp"
#include "rules/policy_tree.hpp"

#include <optional>

namespace lilith::rules {
namespace {

using yaml::Node;
using Kind = Node::Kind;

constexpr std::string_view kMagic = "lilith policy 1\n";
constexpr unsigned kQuoted = 4;
constexpr unsigned kVarintBits = 7, kVarintMore = 0x80;

void put_number(std::string& out, std::uint64_t value) {
  for (; value >= kVarintMore; value >>= kVarintBits) {
    out.push_back(static_cast<char>(value | kVarintMore));
  }
  out.push_back(static_cast<char>(value));
}

void put_node(std::string& out, const Node& node) {
  out.push_back(static_cast<char>(static_cast<unsigned>(node.kind) | (node.quoted ? kQuoted : 0)));
  put_number(out, static_cast<std::uint64_t>(node.line));
  put_number(out, static_cast<std::uint64_t>(node.column));
  switch (node.kind) {
    case Kind::kNull:
      return;
    case Kind::kScalar:
      put_number(out, node.scalar.size());
      out += node.scalar;
      return;
    case Kind::kSequence:
      put_number(out, node.items.size());
      for (const Node& item : node.items) put_node(out, item);
      return;
    case Kind::kMap:
      put_number(out, node.members.size());
      for (const auto& [key, value] : node.members) {
        put_node(out, key);
        put_node(out, value);
      }
  }
}

// Every bound of the parser holds here, too: the bytes may be anyone's.
class TreeReader {
 public:
  explicit TreeReader(std::string_view bytes) : bytes_(bytes) {}

  std::optional<Node> read() {
    Node root;
    if (!node(root, 0) || !bytes_.empty()) return std::nullopt;
    return root;
  }

 private:
  bool number(std::uint64_t max, std::uint64_t& into) {
    into = 0;
    for (unsigned shift = 0; shift < 64; shift += kVarintBits) {
      if (bytes_.empty()) return false;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      into |= static_cast<std::uint64_t>(byte & (kVarintMore - 1)) << shift;
      if ((byte & kVarintMore) == 0) return into <= max;
    }
    return false;
  }

  bool place(int& into) {
    std::uint64_t value = 0;
    if (!number(limits::kPolicyBytesMax + 1, value)) return false;
    into = static_cast<int>(value);
    return true;
  }

  bool node(Node& into, std::size_t depth) {
    // One more than the parser lets through: a scalar in the deepest list.
    if (depth > limits::kJsonDepthMax + 1 || bytes_.empty()) return false;
    const auto head = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    if (head >= 2 * kQuoted) return false;
    into.kind = static_cast<Kind>(head % kQuoted);
    into.quoted = head >= kQuoted;
    if (!place(into.line) || !place(into.column)) return false;
    if (into.kind == Kind::kNull) return true;
    // Every byte of a text and every child stands for at least one byte to come.
    std::uint64_t count = 0;
    if (!number(bytes_.size(), count) || count > bytes_.size()) return false;
    if (into.kind == Kind::kScalar) {
      into.scalar = bytes_.substr(0, count);
      bytes_.remove_prefix(count);
      return true;
    }
    return children(into, count, depth + 1);
  }

  bool children(Node& into, std::uint64_t count, std::size_t depth) {
    // Counted before there is memory for them.
    nodes_ += into.kind == Kind::kMap ? 2 * count : count;
    if (nodes_ > limits::kPolicyNodesMax) return false;
    if (into.kind == Kind::kSequence) {
      into.items.resize(count);
      for (Node& item : into.items) {
        if (!node(item, depth)) return false;
      }
      return true;
    }
    into.members.resize(count);
    for (auto& [key, value] : into.members) {
      if (!node(key, depth) || !node(value, depth)) return false;
    }
    return true;
  }

  std::string_view bytes_;
  std::uint64_t nodes_ = 0;
};

std::unexpected<Error> refused(std::string_view why) {
  return fail(ErrorCode::kInvalidInput, std::string(why));
}

// Takes `line` and its LF off the front.
bool take_line(std::string_view& bytes, std::string_view line) {
  if (!bytes.starts_with(line) || bytes.substr(line.size(), 1) != "\n") return false;
  bytes.remove_prefix(line.size() + 1);
  return true;
}

}  // namespace

Result<std::string> compile_policy(std::string_view yaml, std::string_view engine) {
  if (yaml.size() > limits::kPolicyBytesMax) {
    return fail(ErrorCode::kLimitExceeded,
                "the policy is larger than " + std::to_string(limits::kPolicyBytesMax) + " bytes");
  }
  std::vector<yaml::Problem> problems;
  const Node root = yaml::read(yaml, problems);
  if (!problems.empty()) return refused(problems.front().message);
  const std::string sha256 = sha256_hex(yaml);
  const PolicyLoad load = load_policy_nodes(root, sha256, "policy");
  for (const Diagnostic& diagnostic : load.diagnostics) {
    if (diagnostic.severity == Severity::kError) return refused(to_string(diagnostic));
  }
  std::string tree;
  put_node(tree, root);
  std::string out(kMagic);
  out.append(engine).append("\n");
  out.append(sha256).append("\n");
  out.append(sha256_hex(tree)).append("\n");
  return out + tree;
}

Result<PolicyLoad> load_compiled_policy(std::string_view compiled, std::string_view sha256,
                                        std::string_view engine, std::string_view file_name) {
  if (!compiled.starts_with(kMagic)) return refused("no compiled policy of this form");
  compiled.remove_prefix(kMagic.size());
  if (!take_line(compiled, engine)) return refused("made by another version");
  if (!take_line(compiled, sha256)) return refused("made of another policy");
  const std::size_t hash_size = compiled.find('\n');
  if (hash_size == std::string_view::npos) return refused("cut short");
  const std::string_view hash = compiled.substr(0, hash_size);
  compiled.remove_prefix(hash_size + 1);
  if (sha256_hex(compiled) != hash) return refused("damaged");
  const auto root = TreeReader(compiled).read();
  if (!root) return refused("damaged");
  return load_policy_nodes(*root, sha256, file_name);
}

}  // namespace lilith::rules
