#include "audit/read/series.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/codec.hpp"
#include "audit/read/source.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace lilith::audit {
namespace {

std::size_t digits(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && std::isdigit(static_cast<unsigned char>(text[count])) != 0) ++count;
  return count;
}

struct Suffix {
  std::uint64_t number = 0;
  std::string_view stem;  // without .gz, .zst
  bool compressed = false;
};

// ".<digits>" or "-<digits>[-<digits>]", then ".gz", ".zst" or nothing.
std::optional<Suffix> parse_suffix(std::string_view text) {
  Suffix out;
  for (const std::string_view ending : {".gz", ".zst"}) {
    if (!text.ends_with(ending)) continue;
    text.remove_suffix(ending.size());
    out.compressed = true;
    break;
  }
  out.stem = text;
  if (text.empty() || (text.front() != '.' && text.front() != '-')) return std::nullopt;
  const bool dated = text.front() == '-';
  text.remove_prefix(1);
  std::size_t count = digits(text);
  if (count == 0 || count > 20) return std::nullopt;
  for (const char c : text.substr(0, count))
    out.number = out.number * 10 + static_cast<std::uint64_t>(c - '0');
  text.remove_prefix(count);
  if (dated && text.size() > 1 && text.front() == '-') {
    text.remove_prefix(1);
    text.remove_prefix(digits(text));
  }
  if (!text.empty()) return std::nullopt;
  return out;
}

bool fill_status(LogFile& file) {
  struct stat status{};
  if (::stat(file.path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  file.device = status.st_dev;
  file.inode = status.st_ino;
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.mtime_ns =
      static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
  return true;
}

// The first line without its LF and without NULs before it, at most kReaderLineBytesMax of it.
Result<std::string> first_line(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return pass_error(fd);
  if (!looks_compressed(fd->get())) {
    // A hole in front (a writer that did not append went on after copytruncate) can be very large.
    const off_t data = ::lseek(fd->get(), 0, SEEK_DATA);
    if (data < 0) ::lseek(fd->get(), 0, SEEK_SET);
  }
  auto source = open_source(std::move(*fd), path);
  if (!source) return pass_error(source);
  std::string line;
  std::string chunk(std::size_t{16} * 1024, '\0');
  while (line.size() <= limits::kReaderLineBytesMax) {
    auto got = (*source)->read(chunk.data(), chunk.size());
    if (!got) return pass_error(got);
    if (*got == 0) return std::string();
    std::string_view piece(chunk.data(), *got);
    if (line.empty()) piece.remove_prefix(std::min(piece.find_first_not_of('\0'), piece.size()));
    const std::size_t lf = piece.find('\n');
    line += piece.substr(0, lf);
    if (lf != std::string_view::npos) break;
  }
  if (line.size() > limits::kReaderLineBytesMax) line.resize(limits::kReaderLineBytesMax);
  return line;
}

void fill_identity(LogFile& file) {
  // A file that can't be read has no identity yet; the reader of its lines reports why.
  const auto line = first_line(file.path);
  if (!line || line->empty()) return;
  file.first_line_sha256 = sha256_hex(*line);
  if (const auto fields = chain_fields(*line)) {
    file.chain_id = fields->id;
    file.seq = fields->seq;
  }
}

struct Candidate {
  LogFile file;
  std::string stem;
  std::uint64_t number = 0;
  bool compressed = false;
};

Result<std::vector<Candidate>> rotated_candidates(const std::filesystem::path& directory,
                                                  const std::string& base) {
  std::vector<Candidate> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.size() <= base.size() || !name.starts_with(base)) continue;
    const auto suffix = parse_suffix(std::string_view(name).substr(base.size()));
    if (!suffix) continue;
    Candidate candidate{{}, std::string(suffix->stem), suffix->number, suffix->compressed};
    candidate.file.path = (directory / name).string();
    if (fill_status(candidate.file)) out.push_back(std::move(candidate));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(ErrorCode::kIo, "cannot list " + directory.string() + ": " + error.message(),
                error.value());
  return out;
}

void drop_second_forms(std::vector<Candidate>& files, const LogFile& live, bool live_exists) {
  std::set<std::string> plain;
  for (const Candidate& one : files)
    if (!one.compressed) plain.insert(one.stem);
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  if (live_exists) seen.emplace(live.device, live.inode);
  std::erase_if(files, [&](const Candidate& one) {
    if (one.compressed && plain.contains(one.stem)) return true;
    return !seen.emplace(one.file.device, one.file.inode).second;
  });
}

void sort_oldest_first(std::vector<Candidate>& files) {
  const bool one_chain = std::all_of(files.begin(), files.end(), [&](const Candidate& one) {
    return one.file.seq > 0 && one.file.chain_id == files.front().file.chain_id;
  });
  std::sort(files.begin(), files.end(), [&](const Candidate& a, const Candidate& b) {
    if (one_chain && a.file.seq != b.file.seq) return a.file.seq < b.file.seq;
    if (a.file.mtime_ns != b.file.mtime_ns) return a.file.mtime_ns < b.file.mtime_ns;
    // Classic names count upwards into the past, dates and seq into the future.
    const bool classic = a.stem.size() < 9 && b.stem.size() < 9;
    return classic ? a.number > b.number : a.stem < b.stem;
  });
}

// A rotation under way changes what the live path names: then one file can be missing, or the
// first line of one stand beside the inode of another.
constexpr int kListingsMax = 8;

// Clears `steady` when the live file was replaced while this looked.
Result<std::vector<LogFile>> list_once(const std::string& path, bool& steady) {
  const std::filesystem::path whole(path);
  std::filesystem::path directory = whole.parent_path();
  if (directory.empty()) directory = ".";
  LogFile live;
  live.path = path;
  live.live = true;
  const bool live_exists = fill_status(live);
  auto rotated = rotated_candidates(directory, whole.filename().string());
  if (!rotated) return pass_error(rotated);

  drop_second_forms(*rotated, live, live_exists);
  for (Candidate& one : *rotated) fill_identity(one.file);
  sort_oldest_first(*rotated);

  std::vector<LogFile> out;
  out.reserve(rotated->size() + 1);
  for (Candidate& one : *rotated) out.push_back(std::move(one.file));
  LogFile after;
  after.path = path;
  const std::uint64_t device = live.device, inode = live.inode;
  if (live_exists) {
    fill_identity(live);
    out.push_back(std::move(live));
  }
  steady = fill_status(after) == live_exists &&
           (!live_exists || (after.device == device && after.inode == inode));
  return out;
}

}  // namespace

Result<std::vector<LogFile>> log_series(const std::string& path) {
  for (int listing = 1;; ++listing) {
    bool steady = true;
    auto series = list_once(path, steady);
    if (!series || steady || listing == kListingsMax) return series;
  }
}

std::string live_path(const std::string& path) {
  const std::size_t name = path.find_last_of('/') + 1;
  for (std::size_t at = name + 1; at < path.size(); ++at)
    if ((path[at] == '.' || path[at] == '-') && parse_suffix(std::string_view(path).substr(at)))
      return path.substr(0, at);
  return path;
}

Result<std::vector<std::string>> logs_in(const std::string& directory) {
  std::set<std::string> logs;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    const std::string path = at->path().string();
    const std::string live = live_path(path);
    const bool named =
        path.ends_with(".log") || path.ends_with(".jsonl") || path.ends_with(".ndjson");
    if (live != path || named) logs.insert(live);
  }
  if (error)
    return fail(ErrorCode::kIo, "cannot list " + directory + ": " + error.message(), error.value());
  return std::vector<std::string>(logs.begin(), logs.end());
}

}  // namespace lilith::audit
