#include "audit/retention.hpp"

#include "audit/base/unique_fd.hpp"
#include "audit/cursors.hpp"
#include "audit/log_tail.hpp"

#include <charconv>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <vector>

namespace lilith::audit {
namespace {

std::uint64_t bytes_of(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

// The seq in PATH.<20 digits>[.zst|.gz].
std::uint64_t first_seq_of(std::string_view file, const std::string& log) {
  std::uint64_t seq = 0;
  file.remove_prefix(log.size() + 1);
  std::from_chars(file.data(), file.data() + file.size(), seq);
  return seq;
}

// The last event of a rotated file. One that is compressed ends before the next one begins; of the
// newest that is not known here.
Head end_of(const std::vector<std::string>& files, std::size_t index, const std::string& log,
            std::string_view chain_id) {
  const std::string& file = files[index];
  if (file.ends_with(".zst") || file.ends_with(".gz")) {
    if (index + 1 == files.size()) return {};
    Head head;
    head.id = chain_id;
    head.seq = first_seq_of(files[index + 1], log) - 1;
    return head;
  }
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY));
  struct stat info{};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return {};
  const auto tail = read_tail(fd.get(), static_cast<std::uint64_t>(info.st_size));
  return tail && tail->found ? tail->head : Head{};
}

bool is_delivered(const Delivered& delivered, const Head& end) {
  return end.seq != 0 && delivered.up_to(end.id, end.seq);
}

}  // namespace

Result<std::uint64_t> rotated_bytes(const std::string& log) {
  auto files = rotated_files(log);
  if (!files) return pass_error(files);
  std::uint64_t sum = 0;
  for (const std::string& file : *files) sum += bytes_of(file);
  return sum;
}

void delete_beyond_keep(const LogOptions& options, std::string_view chain_id) {
  if (options.rotate_keep == 0) return;
  const auto files = rotated_files(options.path);
  if (!files || files->size() <= options.rotate_keep) return;
  const bool waits = !options.shipper_state.empty();
  const Delivered delivered =
      waits ? Delivered::read(options.shipper_state, options.path, options.shipper_sink)
            : Delivered();
  for (std::size_t i = 0; i + options.rotate_keep < files->size(); ++i) {
    if (waits && !is_delivered(delivered, end_of(*files, i, options.path, chain_id))) return;
    if (::unlink((*files)[i].c_str()) != 0) return;
  }
}

std::uint64_t delete_delivered(const LogOptions& options, std::string_view chain_id,
                               std::uint64_t enough) {
  std::uint64_t freed = 0;
  if (options.shipper_state.empty()) return freed;
  const auto files = rotated_files(options.path);
  if (!files) return freed;
  const Delivered delivered =
      Delivered::read(options.shipper_state, options.path, options.shipper_sink);
  for (std::size_t i = 0; i < files->size() && freed < enough; ++i) {
    if (!is_delivered(delivered, end_of(*files, i, options.path, chain_id))) return freed;
    const std::uint64_t bytes = bytes_of((*files)[i]);
    if (::unlink((*files)[i].c_str()) != 0) return freed;
    freed += bytes;
  }
  return freed;
}

std::uint64_t free_bytes(int fd) {
  struct statvfs info{};
  if (::fstatvfs(fd, &info) != 0 || info.f_blocks == 0) {
    return std::numeric_limits<std::uint64_t>::max();
  }
  // What is kept back for root is root's to use.
  const auto blocks = ::geteuid() == 0 ? info.f_bfree : info.f_bavail;
  return static_cast<std::uint64_t>(blocks) * info.f_frsize;
}

}  // namespace lilith::audit
