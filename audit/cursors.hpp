#pragma once
// How far a sink of the shipper has got in each source: what the shipper keeps as
// STATE_DIR/SINK.checkpoint.json, and what a log reads before it deletes a rotated file.

#include "audit/base/result.hpp"
#include "audit/position.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::audit {

// Of one source: the position behind the last line that is done, and what a route withheld that no
// `withheld` event names yet (audit/read/withheld.hpp); seqs is empty when there is nothing.
struct Cursor : Position {
  struct Withheld {
    std::string chain_id, host, seqs;
    friend bool operator==(const Withheld&, const Withheld&) = default;
  } withheld;

  Cursor() = default;
  Cursor(Position position) : Position(std::move(position)) {}
  // Leaves what was withheld.
  Cursor& operator=(Position position) {
    Position::operator=(std::move(position));
    return *this;
  }
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

using Cursors = std::map<std::string, Cursor>;  // by source path

// A file's content, with a checksum of its own; kInvalidInput when it is not what was written.
[[nodiscard]] std::string cursors_to_text(const Cursors& cursors);
[[nodiscard]] Result<Cursors> cursors_from_text(const std::string& text);

// STATE_DIR/SINK.checkpoint.json, and the generation before it.
[[nodiscard]] std::string checkpoint_path(const std::string& state_dir, std::string_view sink);
[[nodiscard]] std::string checkpoint_before_path(const std::string& state_dir,
                                                 std::string_view sink);
[[nodiscard]] Result<std::set<std::string>> sinks_with_checkpoints(const std::string& state_dir);

// What every sink has delivered of one log.
class Delivered {
 public:
  // By all checkpoints in `state_dir`. A directory or a checkpoint that can't be read, or one that
  // does not name the log, delivered nothing. Only that of `sink`, where it is not empty.
  [[nodiscard]] static Delivered read(const std::string& state_dir, const std::string& log,
                                      const std::string& sink = {});
  // The line `seq` of the chain and all before it.
  [[nodiscard]] bool up_to(std::string_view chain_id, std::uint64_t seq) const;

 private:
  std::vector<Position> cursors_;  // one of each sink; of one that can't be read: an empty one
};

}  // namespace lilith::audit
