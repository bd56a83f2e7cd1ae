#pragma once
// The folder that a consumer group writes its summaries to: one file for each range of offsets of a
// partition, named by the partition and the offset that the range begins with. Each range begins
// where the one before it ended, and a file is never replaced: of two consumers that read from the
// same offset, one gets the name and the other has counted nothing. So no message can be counted
// twice, nor left out, whatever the group believes of who owns which partition.

#include "audit/base/result.hpp"
#include "replay/summary.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::replay {

class RangeFolder {
 public:
  // Makes the folder if it is not there.
  [[nodiscard]] static Result<RangeFolder> open(const std::string& path,
                                                std::vector<Candidate> candidates);

  // Up to where a partition was read, and what was seen there.
  struct Place {
    std::int64_t end = 0;  // the next offset; 0 when nothing was
    ChainSeqs seen;
  };
  // Refuses a folder of other candidates or of another cluster.
  [[nodiscard]] Result<Place> place(const PartitionName& name) const;

  // Writes the summary of what begins at offset `first`: durable when it returns. False when a file
  // of that offset is there already; it is left as it is.
  [[nodiscard]] Result<bool> put(const PartitionName& name, std::int64_t first,
                                 const Summary& summary) const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  RangeFolder(std::string path, std::vector<Candidate> candidates)
      : path_(std::move(path)), candidates_(std::move(candidates)) {}

  std::string path_;
  std::vector<Candidate> candidates_;
};

// The summaries in a folder, by topic, partition and offset; files of other names are left out.
[[nodiscard]] Result<std::vector<std::string>> summaries_in(const std::string& folder);

}  // namespace lilith::replay
