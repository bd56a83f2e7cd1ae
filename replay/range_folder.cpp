#include "replay/range_folder.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/unique_fd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::replay {
namespace {

constexpr std::string_view kSuffix = ".summary.json";
constexpr mode_t kMode = 0640;

// Digits enough for every number, so that names sort as numbers do. Kafka's topics are of
// [a-zA-Z0-9._-] (org.apache.kafka.common.internals.Topic): no separator of ours is ambiguous
// when read from the right.
std::string prefix_of(const PartitionName& name) {
  return fmt::format("{}.{:010}.", name.topic, name.partition);
}
std::string file_of(const PartitionName& name, std::int64_t first) {
  return fmt::format("{}{:020}{}", prefix_of(name), first, kSuffix);
}

// Half-written by consumers that were killed: nobody can put them any more once `final` is there.
void remove_leftovers(const std::string& folder, const std::string& final) {
  const auto names = names_in(folder);
  if (!names) return;
  for (const std::string& name : *names) {
    if (name.starts_with(final + ".tmp.")) ::unlink((folder + "/" + name).c_str());
  }
}

}  // namespace

Result<std::vector<std::string>> summaries_in(const std::string& folder) {
  auto names = names_in(folder);
  if (!names) return names;
  std::erase_if(*names, [](const std::string& name) { return !name.ends_with(kSuffix); });
  for (std::string& name : *names) name.insert(0, folder + "/");
  return names;
}

Result<RangeFolder> RangeFolder::open(const std::string& path, std::vector<Candidate> candidates) {
  if (auto made = make_directories(path, 0750); !made) return pass_error(made);
  return RangeFolder(path, std::move(candidates));
}

Result<RangeFolder::Place> RangeFolder::place(const PartitionName& name) const {
  auto names = names_in(path_);
  if (!names) return pass_error(names);
  const std::string prefix = prefix_of(name);
  const auto newest = std::find_if(names->rbegin(), names->rend(), [&](const std::string& one) {
    return one.starts_with(prefix) && one.ends_with(kSuffix) &&
           one.size() == prefix.size() + 20 + kSuffix.size();
  });
  if (newest == names->rend()) return Place{};
  const std::string path = path_ + "/" + *newest;
  const auto refuse = [&](const std::string& why) {
    return fail(ErrorCode::kInvalidInput, path + ": " + why + "; use another folder and group");
  };
  auto text = read_file(path, limits::kReplaySummaryBytesMax);
  if (!text) return pass_error(text);
  auto summary = Summary::from_json(*text);
  if (!summary) return refuse(summary.error().message);
  if (summary->candidates() != candidates_) return refuse("it is of other candidate policies");
  const auto mine = summary->partitions.find(name);
  if (mine == summary->partitions.end()) return refuse("it is of another Kafka cluster");
  const auto ranges = mine->second.ranges();
  if (ranges.empty()) return refuse("it names no offsets");
  Place out;
  out.end = static_cast<std::int64_t>(ranges.rbegin()->second);
  out.seen = std::move(summary->earlier);
  for (const auto& [chain, seqs] : summary->chains) out.seen[chain].add_all(seqs);
  return out;
}

Result<bool> RangeFolder::put(const PartitionName& name, std::int64_t first,
                              const Summary& summary) const {
  const std::string base = file_of(name, first), final = path_ + "/" + base;
  std::string temporary = final + ".tmp.XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return fail_errno("cannot create " + temporary);
  const auto give_up = [&](const char* what) {
    auto failure = fail_errno(what + temporary);
    ::unlink(temporary.c_str());
    return failure;
  };
  if (::fchmod(fd.get(), kMode) != 0) return give_up("cannot set the mode of ");
  if (auto written = write_all(fd.get(), summary.to_json()); !written) {
    ::unlink(temporary.c_str());
    written.error().message += " (" + temporary + ")";
    return pass_error(written);
  }
  if (::fsync(fd.get()) != 0) return give_up("cannot sync ");
  // link() and not rename(): it refuses a name that is taken, on a network file system too.
  if (::link(temporary.c_str(), final.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    // ENOENT: whoever put the file has removed ours as a leftover.
    if (error == EEXIST || (error == ENOENT && ::access(final.c_str(), F_OK) == 0)) return false;
    return fail_errno("cannot link " + final, error);
  }
  ::unlink(temporary.c_str());
  remove_leftovers(path_, base);
  if (auto synced = sync_directory(path_); !synced) return pass_error(synced);
  return true;
}

}  // namespace lilith::replay
