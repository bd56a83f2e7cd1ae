#pragma once
// The events behind wazuh/samples and wazuh/tests/lilith.ini, built as the program builds them and
// written by audit::encode, so that the shipped files can't drift from the codec.

#include <string>
#include <vector>

namespace lilith::test {

struct WazuhSample {
  std::string name;   // file wazuh/samples/NAME.jsonl; begins with the id of the rule that its last
                      // line fires
  std::string title;  // section of wazuh/tests/lilith.ini
  int rule = 0;
  int level = 0;
  std::vector<std::string> lines;  // one chain from genesis
};

[[nodiscard]] std::vector<WazuhSample> wazuh_samples();

// Names gtest prints.
void PrintTo(const WazuhSample& sample, std::ostream* out);

}  // namespace lilith::test
