#pragma once
// `lilith ship status --top`: the status on the whole terminal, again every second.

#include "audit/base/result.hpp"
#include "shipper/config.hpp"

namespace lilith::shipper {

// Returns when q or Ctrl-C is pressed or the terminal is gone. kInvalidInput when standard input
// and output are no terminal.
[[nodiscard]] Result<void> show_top(const Config& config);

}  // namespace lilith::shipper
