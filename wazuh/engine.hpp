#pragma once
// Which rule fires on which line: the matching and correlation of wazuh-analysisd 4.9 for the
// subset of ruleset.hpp. Checked event for event against runs of the real engine (tests/wazuh).

#include "audit/base/result.hpp"
#include "wazuh/decode.hpp"
#include "wazuh/ruleset.hpp"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::wazuh {

struct Outcome {
  int rule = 0;  // 0: no rule
  int level = 0;
  bool alert = false;  // written to alerts.json: level 3 or more, and not silenced by ignore
  std::string description;
  const Rule* matched = nullptr;  // into the engine's ruleset
};

// Keeps what correlation needs of the last 8192 matched events, as Wazuh's memory_size does. One
// thread at a time.
class Engine {
 public:
  explicit Engine(Ruleset ruleset, std::vector<JsonDecoder> decoders = stock_decoders());
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  // `arrival_s`: seconds on the manager's clock, never going back. `agent`: the Wazuh agent id;
  // correlation counts each agent apart.
  [[nodiscard]] Outcome feed(std::string_view line, std::int64_t arrival_s,
                             std::string_view agent = "000");

  // The same for a line that was decoded before. `text` is the line; it may be empty where no rule
  // that could be reached looks at it.
  [[nodiscard]] Outcome feed(const DecodedLine& line, std::string_view text, std::int64_t arrival_s,
                             std::string_view agent);
  [[nodiscard]] DecodedLine decode(std::string_view line) const;
  [[nodiscard]] bool needs_text(const DecodedLine& line) const;
  // Dynamic fields that a rule tests, compares or counts by: nothing else of a line decides.
  [[nodiscard]] const std::set<std::string, std::less<>>& fields_read() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::wazuh
