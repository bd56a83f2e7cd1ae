#pragma once
// What a server said of its tools when they were first seen. A description is text for the model: a
// server that changes it after it was trusted can talk the agent into anything ("rug pull").

#include "audit/base/result.hpp"
#include "audit/json/reader.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::mcp {

// Where the pins of one server are kept; `state` is the user's state directory.
[[nodiscard]] std::string pins_path(const std::string& state, std::string_view server);

class Pins {
 public:
  // An empty path: nothing is remembered beyond this process.
  explicit Pins(std::string path) : path_(std::move(path)) {}
  // A file that is not there is an empty one. kInvalidInput names the file and the remedy.
  [[nodiscard]] Result<void> load();
  [[nodiscard]] Result<void> save() const;

  enum class Seen { kFirst, kSame, kChanged };
  struct Finding {
    std::string tool;
    Seen seen = Seen::kSame;
    std::string changed;  // "description", "input schema", "other members", comma-separated
  };
  // One entry of a tools/list result. A tool that is new is pinned; one that differs from its pin
  // stays pinned as it was.
  [[nodiscard]] Finding look(json::View tool);
  // What of the tool differs from its pin, as it was last listed; empty when nothing does.
  [[nodiscard]] std::string changed(std::string_view tool) const;
  [[nodiscard]] std::size_t size() const { return pins_.size(); }

 private:
  struct Pin {  // SHA-256 in hex
    std::string description, input_schema, others;
  };
  [[nodiscard]] static Pin pin_of(json::View tool);

  std::string path_;
  std::map<std::string, Pin, std::less<>> pins_;
  std::map<std::string, std::string, std::less<>> changed_;
};

}  // namespace lilith::enforcer::mcp
