#include "enforcer/mcp/pins.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/json/writer.hpp"

#include <algorithm>
#include <optional>

namespace lilith::enforcer::mcp {
namespace {

using json::View;
constexpr unsigned kPrivateFile = 0600, kPrivateDirectory = 0700;

// Independent of the order of members, which means nothing in JSON.
void append_sorted(std::string& out, View value) {
  if (value.is_array()) {
    out.push_back('[');
    value.each_element([&out](View item) {
      if (out.back() != '[') out.push_back(',');
      append_sorted(out, item);
      return true;
    });
    out.push_back(']');
    return;
  }
  if (!value.is_object()) {
    out += value.to_json();
    return;
  }
  std::vector<std::pair<std::string, View>> members;
  value.each_member([&members](std::string_view key, View member) {
    members.emplace_back(key, member);
    return true;
  });
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  out.push_back('{');
  for (const auto& [key, member] : members) {
    if (out.back() != '{') out.push_back(',');
    json::append_string(out, key);
    out.push_back(':');
    append_sorted(out, member);
  }
  out.push_back('}');
}

std::string hash_of(std::optional<View> value) {
  std::string text;
  if (value) append_sorted(text, *value);
  return sha256_hex(text);
}

void append_changed(std::string& out, std::string_view what) {
  if (!out.empty()) out += ", ";
  out += what;
}

}  // namespace

std::string pins_path(const std::string& state, std::string_view server) {
  if (state.empty()) return {};
  return state + "/mcp-pins/" + std::string(server) + ".json";
}

Pins::Pin Pins::pin_of(View tool) {
  std::string others = "{";
  std::vector<std::pair<std::string, View>> rest;
  tool.each_member([&rest](std::string_view key, View member) {
    // _meta is for machines (and changes with versions); the rest may be shown to a model.
    if (key != "description" && key != "inputSchema" && key != "_meta") {
      rest.emplace_back(key, member);
    }
    return true;
  });
  std::sort(rest.begin(), rest.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [key, member] : rest) {
    json::append_string(others, key);
    append_sorted(others, member);
  }
  return {hash_of(tool.find("description")), hash_of(tool.find("inputSchema")), sha256_hex(others)};
}

Pins::Finding Pins::look(View tool) {
  Finding finding;
  finding.tool = tool.text("name");
  if (finding.tool.empty()) return finding;
  const Pin now = pin_of(tool);
  const auto known = pins_.find(finding.tool);
  if (known == pins_.end()) {
    if (pins_.size() < limits::kMcpPinsMax) pins_.emplace(finding.tool, now);
    finding.seen = Seen::kFirst;
    return finding;
  }
  if (known->second.description != now.description) append_changed(finding.changed, "description");
  if (known->second.input_schema != now.input_schema) {
    append_changed(finding.changed, "input schema");
  }
  if (known->second.others != now.others) append_changed(finding.changed, "other members");
  if (finding.changed.empty()) {
    changed_.erase(finding.tool);
    return finding;
  }
  finding.seen = Seen::kChanged;
  changed_[finding.tool] = finding.changed;
  return finding;
}

std::string Pins::changed(std::string_view tool) const {
  const auto found = changed_.find(tool);
  return found == changed_.end() ? std::string() : found->second;
}

Result<void> Pins::load() {
  if (path_.empty()) return {};
  const auto text = read_file(path_, limits::kMcpPinsBytesMax);
  if (!text) {
    if (text.error().os_errno == ENOENT || text.error().code == ErrorCode::kNotFound) return {};
    return fail(text.error().code, "cannot read the pins: " + text.error().message,
                text.error().os_errno);
  }
  json::Document document;
  const auto root = document.parse(*text);
  const auto tools = root ? root->find("tools") : std::nullopt;
  if (!tools || !tools->is_object()) {
    return fail(ErrorCode::kInvalidInput, path_ +
                                              " is no file of tool pins; remove it to pin the "
                                              "server's tools anew as they are then");
  }
  tools->each_member([this](std::string_view name, View pin) {
    pins_[std::string(name)] = {std::string(pin.text("description")),
                                std::string(pin.text("input_schema")),
                                std::string(pin.text("others"))};
    return true;
  });
  return {};
}

Result<void> Pins::save() const {
  if (path_.empty()) return {};
  std::string text;
  json::Writer writer(text);
  writer.begin_object().member("pins", 1).key("tools").begin_object();
  for (const auto& [name, pin] : pins_) {
    writer.key(name).begin_object();
    writer.member("description", pin.description).member("input_schema", pin.input_schema);
    writer.member("others", pin.others).end_object();
  }
  writer.end_object().end_object();
  text.push_back('\n');
  if (auto made = make_directories(path_.substr(0, path_.rfind('/')), kPrivateDirectory); !made) {
    return made;
  }
  return replace_file(path_, text, kPrivateFile);
}

}  // namespace lilith::enforcer::mcp
