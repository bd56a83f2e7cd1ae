#pragma once
// Which rule fires on which line: the matching and correlation of wazuh-analysisd 4.9 for the
// subset of ruleset.hpp. Checked event for event against runs of the real engine (tests/wazuh).

#include "audit/base/result.hpp"
#include "wazuh/ruleset.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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
  explicit Engine(Ruleset ruleset);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  // `arrival_s`: seconds on the manager's clock, never going back. `agent`: the Wazuh agent id;
  // correlation counts each agent apart.
  [[nodiscard]] Outcome feed(std::string_view line, std::int64_t arrival_s,
                             std::string_view agent = "000");

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::wazuh
