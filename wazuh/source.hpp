#pragma once
// Rule, decoder and list files as a command line names them, made into engines.

#include "wazuh/engine.hpp"

#include <string>
#include <vector>

namespace lilith::wazuh {

struct RuleSource {
  std::vector<RuleFile> rules;  // the stock rules first, unless they were left out
  std::vector<RuleFile> decoders;
  Lists lists;
};

struct SourcePaths {
  std::vector<std::string> rules, decoders, lists;
  bool stock = true;  // with stock_rules()
};
[[nodiscard]] Result<RuleSource> read_source(const SourcePaths& paths);

// kInvalidInput for what a manager would refuse or this model does not know. An engine keeps the
// state of one manager: make one for each run.
[[nodiscard]] Result<Engine> make_engine(const RuleSource& source,
                                         std::vector<std::string>* warnings = nullptr);

}  // namespace lilith::wazuh
