#include "enforcer/setup/json_edit.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"

#include <algorithm>

namespace lilith::enforcer::setup {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

struct Style {
  std::string line_end = "\n";
  std::string unit = "  ";  // one step of indentation
  bool lines = true;        // values of several parts on several lines
};

std::size_t line_start(std::string_view text, std::size_t at) {
  return at == 0 ? 0 : text.rfind('\n', at - 1) + 1;  // npos + 1 is 0
}

// The blanks with which the line of `at` begins.
std::string indentation(std::string_view text, std::size_t at) {
  const std::size_t start = line_start(text, at);
  const std::size_t end = std::min(text.find_first_not_of(" \t", start), text.size());
  return std::string(text.substr(start, std::min(end, at) - start));
}

bool begins_its_line(std::string_view text, std::size_t at) {
  return line_start(text, at) + indentation(text, at).size() == at;
}

bool on_several_lines(std::string_view text, const JsonNode& node) {
  const std::size_t first = node.children.empty() ? node.end : node.children.front().item;
  return text.substr(node.begin, first - node.begin).find('\n') != std::string_view::npos;
}

Style style_of(std::string_view text, const JsonNode& root) {
  Style style;
  if (text.find("\r\n") != std::string_view::npos) style.line_end = "\r\n";
  if (root.children.empty()) return style;
  style.lines = on_several_lines(text, root);
  const std::size_t first = root.children.front().item;
  if (style.lines && begins_its_line(text, first) && !indentation(text, first).empty()) {
    style.unit = indentation(text, first);
  }
  return style;
}

// A value in the style of the file; `indent` is that of the line it begins in.
void render(std::string_view json, const JsonNode& node, const Style& style,
            const std::string& indent, std::string& out) {
  const bool object = node.type == JsonType::kObject;
  if ((!object && node.type != JsonType::kArray) || node.children.empty()) {
    out += json.substr(node.begin, node.end - node.begin);
    return;
  }
  const std::string inner = indent + style.unit;
  out += object ? "{" : "[";
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    if (i > 0) out += style.lines ? "," : ", ";
    if (style.lines) out += style.line_end + inner;
    if (object) {
      json::append_string(out, node.children[i].key);
      out += ": ";
    }
    render(json, node.children[i], style, inner, out);
  }
  if (style.lines) out += style.line_end + indent;
  out += object ? "}" : "]";
}

// `"key": value`, or the value alone where there is no key.
std::string item_text(std::string_view key, std::string_view json, const Style& style,
                      const std::string& indent) {
  std::string out;
  if (!key.empty()) {
    json::append_string(out, key);
    out += ": ";
  }
  const auto node = parse_jsonc(json);  // ours, so it is JSON
  if (node) render(json, *node, style, indent, out);
  return out;
}

// Behind what follows `at` on its line, when that is nothing but blanks and comments; else `at`.
std::size_t behind_remarks(std::string_view text, std::size_t at) {
  std::size_t now = at;
  while (now < text.size()) {
    now = std::min(text.find_first_not_of(" \t\r", now), text.size());
    if (now == text.size()) return at;
    if (text[now] == '\n') break;
    if (text.substr(now, 2) == "//") {
      now = text.find('\n', now);
      if (now == std::string_view::npos) return at;
      break;
    }
    if (text.substr(now, 2) != "/*") return at;
    const std::size_t end = text.find("*/", now);
    if (text.substr(now, end - now).find('\n') != std::string_view::npos) return at;
    now = end + 2;
  }
  return now > 0 && text[now - 1] == '\r' ? now - 1 : now;
}

std::string insert_into_empty(std::string_view text, const JsonNode& node, std::string_view key,
                              std::string_view json, const Style& style) {
  std::string out(text);
  const std::size_t close = node.end - 1;
  const std::string base = indentation(text, node.begin);
  if (!style.lines) return out.insert(close, item_text(key, json, style, base));
  const std::string indent = base + style.unit;
  const std::string item = indent + item_text(key, json, style, indent);
  const bool own_line = begins_its_line(text, close) && line_start(text, close) > node.begin;
  if (own_line) return out.insert(line_start(text, close), item + style.line_end);
  return out.insert(close, style.line_end + item + style.line_end + base);
}

std::string insert_behind_last(std::string_view text, const JsonNode& node, std::string_view key,
                               std::string_view json, Style style) {
  std::string out(text);
  const JsonNode& last = node.children.back();
  const bool trailing = node.commas.back() != kNoComma;
  const std::size_t after = trailing ? node.commas.back() + 1 : last.end;
  style.lines = on_several_lines(text, node);
  if (!style.lines) {
    const std::string item = item_text(key, json, style, {});
    return out.insert(after, trailing ? " " + item + "," : ", " + item);
  }
  const std::string indent = begins_its_line(text, last.item)
                                 ? indentation(text, last.item)
                                 : indentation(text, node.begin) + style.unit;
  const std::size_t at = behind_remarks(text, after);
  out.insert(at,
             style.line_end + indent + item_text(key, json, style, indent) + (trailing ? "," : ""));
  if (!trailing) out.insert(after, ",");
  return out;
}

std::string insert_child(std::string_view text, const JsonNode& root, const JsonNode& node,
                         std::string_view key, std::string_view json) {
  const Style style = style_of(text, root);
  return node.children.empty() ? insert_into_empty(text, node, key, json, style)
                               : insert_behind_last(text, node, key, json, style);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == std::string_view::npos;
}

// ---- taking out ----

void erase_blank_line(std::string& text, std::size_t at) {
  const std::size_t start = line_start(text, at);
  const std::size_t end = text.find('\n', at);
  if (end == std::string::npos || start == 0 || !is_blank(text.substr(start, end - start))) return;
  text.erase(start, end + 1 - start);
}

std::string without_child(std::string_view text, const JsonNode& parent, std::size_t index) {
  std::string out(text);
  const JsonNode& child = parent.children[index];
  std::size_t begin = child.item, end = child.end;
  const std::size_t comma_behind = parent.commas[index];
  const std::size_t comma_before = index > 0 ? parent.commas[index - 1] : kNoComma;
  const auto blanks_from = [&text](std::size_t from) {
    return std::min(text.find_first_not_of(" \t", from), text.size());
  };
  if (comma_behind != kNoComma) {
    if (blanks_from(end) == comma_behind) {
      end = comma_behind + 1;
      if (!begins_its_line(text, begin)) end = blanks_from(end);
    } else {
      out.erase(comma_behind, 1);
    }
    out.erase(begin, end - begin);
  } else {
    const bool beside = comma_before != kNoComma && blanks_from(comma_before + 1) == begin;
    if (beside) begin = comma_before;
    out.erase(begin, end - begin);
    if (comma_before != kNoComma && !beside) {
      out.erase(comma_before, 1);
      --begin;
    }
  }
  erase_blank_line(out, begin);
  return out;
}

// The way from `node` to an element that is wanted, as indices; empty when there is none.
bool find_way(const JsonNode& node, const std::function<bool(const JsonNode&)>& wanted,
              std::vector<std::size_t>& way) {
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    way.push_back(i);
    const JsonNode& child = node.children[i];
    if (node.type == JsonType::kArray && wanted(child)) return true;
    if (find_way(child, wanted, way)) return true;
    way.pop_back();
  }
  return false;
}

// Whether `node` holds but one child, and no comment beside it. Members that only describe a group
// (Claude's "matcher") go with it.
bool holds_only(std::string_view text, const JsonNode& node, const JsonNode& child) {
  const bool described = node.type == JsonType::kObject && node.children.size() == 2 &&
                         find_member(node, "matcher") != nullptr && child.key == "hooks";
  if (node.children.size() != 1 && !described) return false;
  std::size_t from = node.begin;
  for (const JsonNode& each : node.children) {
    if (text.substr(from, each.item - from).find('/') != std::string_view::npos) return false;
    from = each.end;
  }
  return text.substr(from, node.end - from).find('/') == std::string_view::npos;
}

std::string without(std::string_view text, const JsonNode& root,
                    const std::vector<std::size_t>& way) {
  std::vector<const JsonNode*> nodes{&root};
  for (const std::size_t index : way) nodes.push_back(&nodes.back()->children[index]);
  std::size_t level = way.size();  // what goes is nodes[level]
  while (level > 1 && holds_only(text, *nodes[level - 1], *nodes[level])) --level;
  return without_child(text, *nodes[level - 1], way[level - 1]);
}

}  // namespace

std::string object(const std::function<void(json::Writer&)>& fill) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  fill(writer);
  writer.end_object();
  return out;
}

Result<std::string> append_element(std::string_view text, const std::vector<std::string>& path,
                                   std::string_view value) {
  const std::string source = is_blank(text) ? "{}\n" : std::string(text);
  auto root = parse_jsonc(source);
  if (!root) return pass_error(root);
  const JsonNode* node = &*root;
  for (std::size_t i = 0; i <= path.size(); ++i) {
    const JsonType needed = i < path.size() ? JsonType::kObject : JsonType::kArray;
    if (node->type != needed) {
      return fail(ErrorCode::kInvalidInput, place_in(source, node->begin) + ": " +
                                                (i == 0 ? "the file" : path[i - 1]) + " is no " +
                                                (needed == JsonType::kObject ? "object" : "list"));
    }
    if (i == path.size()) break;
    const JsonNode* next = find_member(*node, path[i]);
    if (next == nullptr) {
      std::string rest = "[" + std::string(value) + "]";
      for (std::size_t j = path.size() - 1; j > i; --j) {
        std::string key;
        json::append_string(key, path[j]);
        rest.insert(0, "{" + key + ":").append("}");
      }
      return insert_child(source, *root, *node, path[i], rest);
    }
    node = next;
  }
  return insert_child(source, *root, *node, {}, value);
}

Result<std::string> add_member(std::string_view text, std::string_view key,
                               std::string_view value) {
  const std::string source = is_blank(text) ? "{}\n" : std::string(text);
  auto root = parse_jsonc(source);
  if (!root) return pass_error(root);
  if (root->type != JsonType::kObject) {
    return fail(ErrorCode::kInvalidInput,
                place_in(source, root->begin) + ": the file is no object");
  }
  if (find_member(*root, key) != nullptr) return source;
  return insert_child(source, *root, *root, key, value);
}

Result<std::string> remove_elements(std::string_view text, std::string_view key,
                                    const std::function<bool(const JsonNode&)>& wanted) {
  std::string out(text);
  if (is_blank(text)) return out;
  while (true) {
    auto root = parse_jsonc(out);
    if (!root) return pass_error(root);
    std::vector<std::size_t> way;
    for (std::size_t i = 0; i < root->children.size() && way.empty(); ++i) {
      if (root->children[i].key != key) continue;
      way.push_back(i);
      if (!find_way(root->children[i], wanted, way)) way.clear();
    }
    if (way.empty()) return out;
    out = without(out, *root, way);
  }
}

}  // namespace lilith::enforcer::setup
