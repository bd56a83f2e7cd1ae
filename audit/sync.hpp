#pragma once

namespace lilith::audit {

// audit.sync: fdatasync(2) never, by the recorder per batch, per event.
enum class Sync { kOff, kBatch, kAlways };

}  // namespace lilith::audit
