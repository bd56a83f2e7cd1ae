#include "replay/group_replay.hpp"

#include "audit/base/limits.hpp"

#include <algorithm>

namespace lilith::replay {

// A range that grows: [first, next).
struct GroupReplay::Part {
  std::int64_t first = 0, next = 0;
  std::size_t events = 0;
  std::unique_ptr<ChainSeqs> earlier;  // of the ranges before; does not move
  std::unique_ptr<Replayer> replayer;
  std::unique_ptr<Examiner> examiner;
  Batch batch;
};

GroupReplay::GroupReplay(Candidates candidates, RangeFolder folder, Options options)
    : candidates_(std::move(candidates)),
      folder_(std::move(folder)),
      options_(std::move(options)) {}
GroupReplay::~GroupReplay() = default;

std::vector<GroupReplay::Order> GroupReplay::orders() { return std::exchange(orders_, {}); }

std::int64_t GroupReplay::end_of(const PartitionName& name) const {
  const auto found = options_.ends.find(name);
  return found == options_.ends.end() ? INT64_MAX : found->second;
}

void GroupReplay::begin(Part& part, RangeFolder::Place place) {
  part.first = part.next = place.end;
  part.events = 0;
  part.examiner.reset();  // it looks into the replayer
  part.earlier = std::make_unique<ChainSeqs>(std::move(place.seen));
  part.replayer = std::make_unique<Replayer>(candidates_);
  part.replayer->counted_before(part.earlier.get());
  part.examiner = std::make_unique<Examiner>(candidates_, &part.replayer->known());
}

Result<RangeFolder::Place> GroupReplay::place_of(const PartitionName& name, std::int64_t low,
                                                 std::int64_t committed) const {
  auto place = folder_.place(name);
  if (place && committed > std::max(place->end, low)) {
    return fail(ErrorCode::kInvalidInput,
                "the group has read " + to_string(name) + " up to offset " +
                    std::to_string(committed) + ", but " + folder_.path() + " only to " +
                    std::to_string(place->end) +
                    ": all consumers of a group write to one folder; name that one, or another "
                    "group");
  }
  return place;
}

Result<void> GroupReplay::check(const PartitionName& name, std::int64_t low,
                                std::int64_t committed) const {
  auto place = place_of(name, low, committed);
  if (!place) return pass_error(place);
  return {};
}

Result<std::int64_t> GroupReplay::given(const PartitionName& name, std::int64_t low,
                                        std::int64_t committed) {
  auto place = place_of(name, low, committed);
  if (!place) return pass_error(place);
  const std::int64_t had = place->end;
  Part& part = parts_[name];
  begin(part, std::move(*place));
  if (low > had && had > 0) {
    part.replayer->summary().input.problem(
        to_string(name) + ": offsets " + std::to_string(had) + " to " + std::to_string(low - 1) +
        " are gone from the topic (its retention), and were not read before");
  }
  part.next = std::max(had, low);
  // The file was written, and the consumer ended before it could say so.
  if (committed < had) orders_.push_back({Order::Kind::kCommit, name, had});
  if (part.next >= end_of(name)) orders_.push_back({Order::Kind::kPause, name});
  return part.next;
}

Result<void> GroupReplay::revoked(const PartitionName& name) {
  const auto found = parts_.find(name);
  if (found == parts_.end()) return {};
  auto written = write(name, found->second);
  parts_.erase(found);
  return written;
}

Result<void> GroupReplay::message(const PartitionName& name, std::int64_t offset,
                                  std::string_view value) {
  const auto found = parts_.find(name);
  if (found == parts_.end()) return {};
  Part& part = found->second;
  if (offset < part.next || offset >= end_of(name)) {
    return offset < part.next ? Result<void>() : advance(name, part, offset);
  }
  part.batch.clear();
  InputReport& input = part.replayer->summary().input;
  ++input.lines;
  if (value.size() > limits::kReaderLineBytesMax) {
    part.batch.faults.push_back(
        {0, "a message of more than " + std::to_string(limits::kReaderLineBytesMax) + " bytes"});
  } else {
    part.examiner->line(value, part.batch);
  }
  for (const Fault& fault : part.batch.faults) {
    ++input.unreadable;
    ++total_.unreadable;
    input.problem(to_string(name) + " offset " + std::to_string(offset) + ": " + fault.message);
  }
  part.replayer->add(part.batch);
  ++total_.messages;
  ++part.events;
  ++events_;
  if (auto moved = advance(name, part, offset + 1); !moved) return moved;
  if (events_ < options_.events_max) return {};
  const auto largest = std::max_element(
      parts_.begin(), parts_.end(),
      [](const auto& a, const auto& b) { return a.second.events < b.second.events; });
  return write(largest->first, largest->second);
}

Result<void> GroupReplay::advance(const PartitionName& name, Part& part, std::int64_t next) {
  if (next <= part.next) return {};
  const std::int64_t end = end_of(name);
  part.next = std::min(next, end);
  if (part.next < end) return {};
  auto written = write(name, part);
  if (written && part.next >= end) orders_.push_back({Order::Kind::kPause, name});
  return written;
}

Result<void> GroupReplay::reached(const PartitionName& name, std::int64_t offset) {
  const auto found = parts_.find(name);
  return found == parts_.end() ? Result<void>() : advance(name, found->second, offset);
}

Result<void> GroupReplay::write_all() {
  for (auto& [name, part] : parts_) {
    if (auto written = write(name, part); !written) return written;
  }
  return {};
}

Result<void> GroupReplay::write(const PartitionName& name, Part& part) {
  if (part.next == part.first) return {};
  Summary& summary = part.replayer->summary();
  summary.partitions[name].add_range(static_cast<std::uint64_t>(part.first) + 1,
                                     static_cast<std::uint64_t>(part.next));
  summary.earlier = *part.earlier;
  auto put = folder_.put(name, part.first, summary);
  if (!put) return pass_error(put);
  events_ -= part.events;
  if (*put) {
    ++total_.summaries;
    orders_.push_back({Order::Kind::kCommit, name, part.next});
    RangeFolder::Place place{part.next, std::move(*part.earlier)};
    for (const auto& [chain, seqs] : summary.chains) place.seen[chain].add_all(seqs);
    begin(part, std::move(place));
    return {};
  }
  // Another consumer was given the partition meanwhile and has written from the same offset on.
  total_.read_by_others += part.events;
  auto place = folder_.place(name);
  if (!place) return pass_error(place);
  begin(part, std::move(*place));
  orders_.push_back({Order::Kind::kSeek, name, part.next});
  if (part.next >= end_of(name)) orders_.push_back({Order::Kind::kPause, name});
  return {};
}

}  // namespace lilith::replay
