#pragma once
// Events in the forms of other systems: Elastic Common Schema and OCSF. docs/mappings.md has the
// table; tests/golden/forms-*.ndjson has one line for each kind of event.

#include "audit/codec.hpp"
#include "audit/codec_view.hpp"
#include "shipper/config.hpp"

#include <string>
#include <string_view>

namespace lilith::shipper {

class FormWriter {
 public:
  explicit FormWriter(Form form) : form_(form) {}
  // Appends the event of `line` as one JSON object. kInvalidInput when it is no event.
  [[nodiscard]] Result<void> append(std::string& out, std::string_view line);

 private:
  Form form_;
  audit::LineView view_;
  // For lines in another layout than our writer's.
  audit::Decoder decoder_;
  audit::Event event_;
  std::string texts_;
};

}  // namespace lilith::shipper
