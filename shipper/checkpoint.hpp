#pragma once
// How far a sink has got in each source. Written after delivery, by write, fsync, rename; two
// generations are kept, so that one that cannot be read costs repeats and never events.

#include "audit/base/result.hpp"
#include "audit/read/reader.hpp"

#include <map>
#include <string>

namespace lilith::shipper {

using Cursors = std::map<std::string, audit::Position>;  // by source path

struct CheckpointLoad {
  Cursors cursors;
  std::string problem;  // a sentence when a generation was damaged and set aside, empty otherwise
};

// Files: DIRECTORY/NAME.checkpoint.json and NAME.checkpoint.1.json.
class CheckpointFile {
 public:
  CheckpointFile(const std::string& directory, const std::string& sink);
  [[nodiscard]] CheckpointLoad load() const;
  [[nodiscard]] Result<void> save(const Cursors& cursors) const;

 private:
  std::string path_, previous_;
};

}  // namespace lilith::shipper
