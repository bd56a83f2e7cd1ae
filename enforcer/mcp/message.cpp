#include "enforcer/mcp/message.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "enforcer/mcp/raw_json.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::enforcer::mcp {
namespace {

using json::Type;
using json::View;

constexpr std::array<std::string_view, 6> kEnvelopeKeys{"jsonrpc", "id",     "method",
                                                        "params",  "result", "error"};
constexpr std::array<std::string_view, 4> kParamsKeys{"name", "arguments", "uri", "_meta"};

Refusal refuse(std::string why, std::string id = "null") {
  return {kInvalidRequest, std::move(id), std::move(why)};
}

bool is_known(const auto& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// A key that some readers take for one of `keys` and others don't.
std::optional<std::string> lookalike(View object, const auto& keys) {
  std::optional<std::string> found;
  object.each_member([&](std::string_view key, View) {
    if (!is_known(keys, key) && is_known(keys, folded_key(key))) found = printable(key);
    return !found;
  });
  return found;
}

// Two keys of one object that a reader which ignores case takes for one.
std::optional<std::string> twins(View object) {
  std::vector<std::string> keys;
  object.each_member([&keys](std::string_view key, View) {
    keys.push_back(folded_key(key));
    return true;
  });
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  return twice == keys.end() ? std::nullopt : std::optional(printable(*twice));
}

// Members that are decided on must have one meaning in every reader.
std::optional<Refusal> check_params(View params, const std::string& id) {
  if (!params.is_object()) {
    // JSON-RPC has positional parameters, MCP does not.
    return refuse("params is no object", id);
  }
  if (const auto key = lookalike(params, kParamsKeys)) {
    return refuse("params has the key '" + *key + "', which some readers take for another", id);
  }
  const auto arguments = params.find("arguments");
  if (!arguments || !arguments->is_object()) return std::nullopt;
  if (const auto key = twins(*arguments)) {
    return refuse("arguments has the key '" + *key + "' twice, but for case", id);
  }
  return std::nullopt;
}

std::expected<Message, Refusal> read_message(View root, std::string_view raw) {
  Message message;
  message.raw = raw;
  if (!root.is_object()) return std::unexpected(refuse("a message is no JSON object"));
  std::string id = "null";
  const auto id_member = root.find("id");
  if (id_member) {
    const Type type = id_member->type();
    if (type != Type::kString && type != Type::kInteger && type != Type::kUnsigned) {
      return std::unexpected(refuse("id is neither text nor a whole number"));
    }
    id = id_member->to_json();
  }
  if (const auto key = lookalike(root, kEnvelopeKeys)) {
    return std::unexpected(
        refuse("the message has the key '" + *key + "', which some readers take for another", id));
  }
  if (root.text("jsonrpc") != "2.0") {
    return std::unexpected(refuse("jsonrpc is not \"2.0\"", id));
  }
  const auto method = root.find("method");
  const bool is_answer = root.find("result") || root.find("error");
  if (!method && !is_answer) {
    return std::unexpected(refuse("the message is neither request nor answer", id));
  }
  if (method && is_answer) {
    return std::unexpected(refuse("the message is both request and answer", id));
  }
  if (id_member) message.id = id;
  if (!method) {
    if (root.find("result") && root.find("error")) {
      return std::unexpected(refuse("the answer has both result and error", id));
    }
    message.kind = MessageKind::kResponse;
    return message;
  }
  const auto name = method->string();
  if (!name || name->empty()) return std::unexpected(refuse("method is no text", id));
  message.method = *name;
  message.kind = id_member ? MessageKind::kRequest : MessageKind::kNotification;
  message.params = root.find("params");
  if (message.params) {
    if (auto fault = check_params(*message.params, id)) return std::unexpected(std::move(*fault));
  }
  return message;
}

}  // namespace

std::string folded_key(std::string_view key) {
  std::string out = ascii_lower(key);
  // U+017F (long s) and U+212A (Kelvin sign): Unicode's simple case folding.
  constexpr std::array<std::pair<std::string_view, char>, 2> kLetters{
      {{"\xC5\xBF", 's'}, {"\xE2\x84\xAA", 'k'}}};
  for (const auto& [letter, ascii] : kLetters) {
    for (std::size_t at = out.find(letter); at != std::string::npos; at = out.find(letter, at)) {
      out.replace(at, letter.size(), 1, ascii);
    }
  }
  return out;
}

std::expected<Frame, Refusal> FrameReader::read(std::string_view line) {
  Frame frame;
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t") == std::string_view::npos) return frame;
  // Readers that end lines at a lone CR (Python's text mode) would see other messages here.
  if (line.find('\r') != std::string_view::npos) {
    return std::unexpected(Refusal{kParseError, "null", "a carriage return stands in the message"});
  }
  if (line.starts_with("\xEF\xBB\xBF")) {
    return std::unexpected(
        Refusal{kParseError, "null", "the message begins with a byte order mark"});
  }
  const auto root = document_.parse(line);
  if (!root) return std::unexpected(Refusal{kParseError, "null", root.error().message});
  if (!root->is_array()) {
    auto message = read_message(*root, line);
    if (!message) return std::unexpected(std::move(message.error()));
    frame.messages.push_back(std::move(*message));
    return frame;
  }
  frame.is_batch = true;
  const auto raw = raw_elements(line);
  std::optional<Refusal> refusal;
  root->each_element([&](View element) {
    auto message = read_message(element, raw[frame.messages.size()]);
    if (message) {
      frame.messages.push_back(std::move(*message));
    } else {
      refusal = std::move(message.error());
      refusal->why += " (in a batch, of which nothing was passed on)";
    }
    return !refusal;
  });
  if (refusal) return std::unexpected(std::move(*refusal));
  if (frame.messages.empty()) return std::unexpected(refuse("the batch is empty"));
  return frame;
}

std::string error_answer(std::string_view id, int code, std::string_view why) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("jsonrpc", "2.0").key("id").raw(id);
  writer.key("error").begin_object();
  writer.member("code", code).member("message", why);
  writer.end_object().end_object();
  return out;
}

std::string denied_tool_answer(std::string_view id, std::string_view why, bool with_result_type) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("jsonrpc", "2.0").key("id").raw(id);
  writer.key("result").begin_object();
  if (with_result_type) writer.member("resultType", "complete");
  writer.key("content").begin_array().begin_object();
  writer.member("type", "text").member("text", why);
  writer.end_object().end_array().member("isError", true);
  writer.end_object().end_object();
  return out;
}

}  // namespace lilith::enforcer::mcp
