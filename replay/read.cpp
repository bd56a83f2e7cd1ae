// Files to batches to counts: in one thread, or examined by several and counted in order.

#include "audit/base/limits.hpp"
#include "audit/read/reader.hpp"
#include "replay/replay.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace lilith::replay {
namespace {

using Status = audit::LineReader::Status;

// A line that is there, but is no event for a reason of its own.
struct OddLine {
  std::size_t line = 0;  // index in the chunk
  Status status = Status::kLine;
};

// Lines of one file that follow each other, in the reader's memory or in its own.
struct Chunk {
  std::vector<std::string_view> lines;
  std::size_t size = 0;  // of the lines, each with its LF
  std::vector<OddLine> odd;
  std::size_t file = 0;
  std::uint64_t first_line = 1;
  std::string damage;  // why the file could not be read further
  Batch batch;
  bool examined = false;
  std::string own;

  void clear() {
    lines.clear();
    size = 0;
    odd.clear();
    damage.clear();
    batch.clear();
    examined = false;
  }

  // From now on the lines outlive the reader's next step. They lie one behind the other.
  void keep() {
    if (lines.empty()) return;
    const char* const from = lines.front().data();
    own.assign(from, static_cast<std::size_t>(lines.back().data() + lines.back().size() - from));
    for (std::string_view& line : lines) line = {own.data() + (line.data() - from), line.size()};
  }
};

// Chunks whose memory is used again.
class SpareChunks {
 public:
  std::unique_ptr<Chunk> take() {
    if (chunks_.empty()) return std::make_unique<Chunk>();
    std::unique_ptr<Chunk> chunk = std::move(chunks_.back());
    chunks_.pop_back();
    chunk->clear();
    return chunk;
  }
  void give(std::unique_ptr<Chunk> chunk) { chunks_.push_back(std::move(chunk)); }

 private:
  std::vector<std::unique_ptr<Chunk>> chunks_;
};

void examine(Examiner& examiner, Chunk& chunk) {
  auto odd = chunk.odd.begin();
  for (std::size_t i = 0; i < chunk.lines.size(); ++i) {
    if (odd != chunk.odd.end() && odd->line == i) {
      chunk.batch.faults.push_back(
          {i,
           odd->status == Status::kTorn
               ? std::string("the line has no end")
               : "a line of more than " + std::to_string(limits::kReaderLineBytesMax) + " bytes"});
      ++odd;
      ++chunk.batch.lines;
      continue;
    }
    examiner.line(chunk.lines[i], chunk.batch);
  }
}

// What a chunk says of its file, into the report; its events into the counts.
void count(const Chunk& chunk, const std::vector<std::string>& files, Replayer& replayer) {
  InputReport& input = replayer.summary().input;
  input.lines += chunk.lines.size();
  auto odd = chunk.odd.begin();
  for (const Fault& fault : chunk.batch.faults) {
    while (odd != chunk.odd.end() && odd->line < fault.line) ++odd;
    const bool torn =
        odd != chunk.odd.end() && odd->line == fault.line && odd->status == Status::kTorn;
    ++(torn ? input.torn : input.unreadable);
    input.problem(files[chunk.file] + ":" + std::to_string(chunk.first_line + fault.line) + ": " +
                  fault.message);
  }
  replayer.add(chunk.batch);
  if (!chunk.damage.empty()) input.problem(files[chunk.file] + ": " + chunk.damage);
}

// One thread reads, several examine whichever chunk is next, and the caller's counts them in the
// order in which they were read.
class Crew {
 public:
  // `read` puts chunks and stops when put() says no.
  Crew(const Candidates& candidates, std::size_t threads, const std::function<void(Crew&)>& read)
      : under_way_max_(2 * threads + 1) {
    for (std::size_t i = 0; i < threads; ++i) {
      examiners_.emplace_back(
          [this, examiner = Examiner(candidates, nullptr)]() mutable { work(examiner); });
    }
    reader_ = std::thread([this, read] {
      read(*this);
      const std::lock_guard lock(mutex_);
      read_all_ = true;
      to_count_.notify_one();
    });
  }
  ~Crew() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    to_examine_.notify_all();
    room_.notify_all();
    reader_.join();
    for (std::thread& examiner : examiners_) examiner.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // A chunk to be filled, in memory that was used before where there is some.
  std::unique_ptr<Chunk> empty() {
    const std::lock_guard lock(mutex_);
    return spare_.take();
  }
  // Waits while too many are under way. False: nobody will take it.
  bool put(std::unique_ptr<Chunk> chunk) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return closed_ || in_order_.size() < under_way_max_; });
    if (closed_) return false;
    waiting_.push_back(chunk.get());
    in_order_.push_back(std::move(chunk));
    to_examine_.notify_one();
    return true;
  }
  // The oldest chunk, once it was examined; null when all were taken.
  std::unique_ptr<Chunk> take() {
    std::unique_lock lock(mutex_);
    to_count_.wait(lock,
                   [this] { return in_order_.empty() ? read_all_ : in_order_.front()->examined; });
    if (in_order_.empty()) return nullptr;
    std::unique_ptr<Chunk> chunk = std::move(in_order_.front());
    in_order_.pop_front();
    room_.notify_one();
    return chunk;
  }
  void give_back(std::unique_ptr<Chunk> chunk) {
    const std::lock_guard lock(mutex_);
    spare_.give(std::move(chunk));
  }

 private:
  void work(Examiner& examiner) {
    for (;;) {
      Chunk* chunk = nullptr;
      {
        std::unique_lock lock(mutex_);
        to_examine_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        chunk = waiting_.front();
        waiting_.pop_front();
      }
      examine(examiner, *chunk);
      const std::lock_guard lock(mutex_);
      chunk->examined = true;
      to_count_.notify_one();
    }
  }

  const std::size_t under_way_max_;
  std::mutex mutex_;
  std::condition_variable to_examine_, to_count_, room_;
  std::deque<Chunk*> waiting_;
  std::deque<std::unique_ptr<Chunk>> in_order_;
  SpareChunks spare_;
  bool closed_ = false, read_all_ = false;
  std::vector<std::thread> examiners_;
  std::thread reader_;
};

// Reads chunks of a file until its end, each into what `empty` gives; `take` gets it filled and
// says whether to go on. So does the result.
template <class Empty, class Take>
Result<bool> each_chunk(const std::string& path, std::size_t file, Empty empty, Take take) {
  auto reader = audit::LineReader::open(path);
  if (!reader) return pass_error(reader);
  bool wanted = true;
  for (bool more = true; more && wanted;) {
    std::unique_ptr<Chunk> chunk = empty();
    chunk->file = file;
    chunk->first_line = (*reader)->line_number() + 1;
    do {
      std::string_view line;
      auto status = (*reader)->next(line);
      if (!status) chunk->damage = status.error().message;
      more = status && *status != Status::kEnd;
      if (!more) break;
      if (*status != Status::kLine) chunk->odd.push_back({chunk->lines.size(), *status});
      chunk->lines.push_back(line);
      chunk->size += line.size() + 1;
    } while (chunk->size < limits::kReplayChunkBytes && (*reader)->has_line());
    wanted = take(std::move(chunk));
  }
  return wanted;
}

}  // namespace

Result<Summary> replay_files(const std::vector<std::string>& files, const Candidates& candidates,
                             const ReplayOptions& options) {
  Replayer replayer(candidates);
  std::uint64_t bytes = 0;
  const auto finish = [&](const Chunk& chunk) {
    count(chunk, files, replayer);
    bytes += chunk.size;
    if (options.progress) options.progress(bytes);
  };
  Result<bool> read = true;
  // Each file in its order, until one can't be read or nobody wants more.
  const auto read_files = [&](const auto& empty, const auto& take) {
    for (std::size_t file = 0; file < files.size() && read && *read; ++file) {
      read = each_chunk(files[file], file, empty, take);
    }
  };
  if (options.threads > 1) {
    Crew crew(candidates, std::min(options.threads, limits::kReplayThreadsMax), [&](Crew& to) {
      read_files([&] { return to.empty(); },
                 [&](std::unique_ptr<Chunk> chunk) {
                   chunk->keep();
                   return to.put(std::move(chunk));
                 });
    });
    while (auto chunk = crew.take()) {
      finish(*chunk);
      crew.give_back(std::move(chunk));
    }
  } else {
    Examiner examiner(candidates, &replayer.known());
    SpareChunks spare;
    read_files([&] { return spare.take(); },
               [&](std::unique_ptr<Chunk> chunk) {
                 examine(examiner, *chunk);
                 finish(*chunk);
                 spare.give(std::move(chunk));
                 return true;
               });
  }
  if (!read) return pass_error(read);
  replayer.summary().input.files = files.size();
  return std::move(replayer.summary());
}

}  // namespace lilith::replay
