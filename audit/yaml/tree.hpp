#pragma once
// A YAML document as plain nodes with line and column, for the policy and the shipper's
// configuration. YAML readers accept duplicate keys, `<<`, second documents and foreign tags
// silently, so that the tree is made from the parser's events.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::yaml {

struct Node {
  // Defined where Node is complete: std::pair<Node, Node> is not before that (clang).
  Node();
  Node(const Node&);
  Node(Node&&) noexcept;
  Node& operator=(const Node&);
  Node& operator=(Node&&) noexcept;
  ~Node();

  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  std::string scalar;  // raw text
  bool quoted = false;
  int line = 0, column = 0;                    // from 1
  std::vector<Node> items;                     // kSequence
  std::vector<std::pair<Node, Node>> members;  // kMap, in file order, keys unique
};

struct Problem {
  int line = 0, column = 0;
  std::string message;
};

// The one document of `text`; `problems` is empty when it is good.
[[nodiscard]] Node read(std::string_view text, std::vector<Problem>& problems);

}  // namespace lilith::yaml
