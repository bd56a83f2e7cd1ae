#pragma once
// Secrets out of commands and URLs before they are hashed and written (docs/event.md lists the
// shapes and their sources). Only shapes that are hardly ever anything else: a wrong redaction
// makes an event unfit for replay.

#include "audit/event.hpp"

#include <string>

namespace lilith::audit {

// Replaces secrets in every outside text of the event by [redacted:<kind>] and lists them in
// event.redacted.
void redact(Event& event);

// The same for one text; returns the kinds found, comma-separated, empty when none.
[[nodiscard]] std::string redact_text(std::string& text);

}  // namespace lilith::audit
