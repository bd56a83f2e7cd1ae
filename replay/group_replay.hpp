#pragma once
// What one consumer of a group counts: a range of offsets for each partition that it was given,
// written to the group's folder as a summary. Knows nothing of Kafka: it is told what came and says
// what the broker has to be asked for.

#include "audit/base/result.hpp"
#include "replay/range_folder.hpp"
#include "replay/replay.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace lilith::replay {

class GroupReplay {
 public:
  struct Options {
    std::size_t events_max;  // counted and not written, over all partitions; then the largest goes
    // Offset at which reading a partition ends; a partition that is not named has no end.
    std::map<PartitionName, std::int64_t> ends = {};
  };
  GroupReplay(Candidates candidates, RangeFolder folder, Options options);
  ~GroupReplay();
  GroupReplay(const GroupReplay&) = delete;
  GroupReplay& operator=(const GroupReplay&) = delete;

  // What to ask the broker for, in this order.
  struct Order {
    enum class Kind { kCommit, kSeek, kPause };
    Kind kind;
    PartitionName partition;
    std::int64_t offset = 0;  // not of kPause
  };
  [[nodiscard]] std::vector<Order> orders();  // those since the last call

  // Whether the folder is the one that the group writes to: refused as by given(). For partitions
  // that this consumer may never get, since others have read them.
  [[nodiscard]] Result<void> check(const PartitionName& name, std::int64_t low,
                                   std::int64_t committed) const;

  // This consumer got a partition: the offset to read from. `low`: the first offset that the broker
  // still has; `committed`: of the group, -1 for none. Refused when the group has read more than
  // the folder holds: then the summaries of it are somewhere else.
  [[nodiscard]] Result<std::int64_t> given(const PartitionName& name, std::int64_t low,
                                           std::int64_t committed);
  // What was read of it is written, before another consumer gets it.
  [[nodiscard]] Result<void> revoked(const PartitionName& name);

  // Messages of partitions that are not ours, and those that were asked to come again, are ignored.
  [[nodiscard]] Result<void> message(const PartitionName& name, std::int64_t offset,
                                     std::string_view value);
  // Everything before `offset` was given out; some offsets hold no message.
  [[nodiscard]] Result<void> reached(const PartitionName& name, std::int64_t offset);
  [[nodiscard]] Result<void> write_all();

  struct Total {
    std::uint64_t messages = 0, unreadable = 0, summaries = 0;
    std::uint64_t read_by_others = 0;  // counted here, and then found to be written by another
  };
  [[nodiscard]] const Total& total() const { return total_; }
  [[nodiscard]] const RangeFolder& folder() const { return folder_; }

 private:
  struct Part;
  [[nodiscard]] Result<RangeFolder::Place> place_of(const PartitionName& name, std::int64_t low,
                                                    std::int64_t committed) const;
  [[nodiscard]] Result<void> write(const PartitionName& name, Part& part);
  [[nodiscard]] Result<void> advance(const PartitionName& name, Part& part, std::int64_t next);
  [[nodiscard]] std::int64_t end_of(const PartitionName& name) const;
  void begin(Part& part, RangeFolder::Place place);

  Candidates candidates_;
  RangeFolder folder_;
  Options options_;
  std::map<PartitionName, Part> parts_;
  std::size_t events_ = 0;  // of all parts
  std::vector<Order> orders_;
  Total total_;
};

}  // namespace lilith::replay
