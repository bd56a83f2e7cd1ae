// Files to batches to counts: in one thread, or examined by several and counted in order.

#include "audit/base/limits.hpp"
#include "audit/read/reader.hpp"
#include "replay/replay.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
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

// Lines of one file that follow each other.
struct Chunk {
  std::string bytes;
  std::vector<std::size_t> ends;
  std::vector<OddLine> odd;
  std::size_t file = 0;
  std::uint64_t first_line = 1;
  std::string damage;  // why the file could not be read further
  Batch batch;
  bool examined = false;

  void clear() {
    bytes.clear();
    ends.clear();
    odd.clear();
    damage.clear();
    batch.clear();
    examined = false;
  }

  [[nodiscard]] std::string_view line(std::size_t index) const {
    const std::size_t from = index == 0 ? 0 : ends[index - 1];
    return std::string_view(bytes).substr(from, ends[index] - from);
  }
};

void examine(Examiner& examiner, Chunk& chunk) {
  auto odd = chunk.odd.begin();
  for (std::size_t i = 0; i < chunk.ends.size(); ++i) {
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
    examiner.line(chunk.line(i), chunk.batch);
  }
}

// What a chunk says of its file, into the report; its events into the counts.
void count(const Chunk& chunk, const std::vector<std::string>& files, Replayer& replayer) {
  InputReport& input = replayer.summary().input;
  input.lines += chunk.ends.size();
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

// Chunks go to whoever is free and come back in their order.
class Crew {
 public:
  Crew(const Candidates& candidates, std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) {
      workers_.emplace_back(
          [this, examiner = Examiner(candidates, nullptr)]() mutable { work(examiner); });
    }
  }
  ~Crew() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void put(std::unique_ptr<Chunk> chunk) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(chunk.get());
    }
    in_order_.push_back(std::move(chunk));
    changed_.notify_one();
  }
  [[nodiscard]] std::size_t under_way() const { return in_order_.size(); }
  // The oldest chunk, once it was examined.
  std::unique_ptr<Chunk> take() {
    std::unique_ptr<Chunk> chunk = std::move(in_order_.front());
    in_order_.pop_front();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return chunk->examined; });
    return chunk;
  }

 private:
  void work(Examiner& examiner) {
    for (;;) {
      Chunk* chunk = nullptr;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        chunk = waiting_.front();
        waiting_.pop_front();
      }
      examine(examiner, *chunk);
      {
        const std::lock_guard lock(mutex_);
        chunk->examined = true;
      }
      done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_, done_;
  std::deque<Chunk*> waiting_;
  bool closed_ = false;
  std::deque<std::unique_ptr<Chunk>> in_order_;  // of the caller's thread
  std::vector<std::thread> workers_;
};

// Reads chunks of a file until its end, each into what `empty` gives; `take` gets it filled.
template <class Empty, class Take>
Result<void> each_chunk(const std::string& path, std::size_t file, Empty empty, Take take) {
  auto reader = audit::LineReader::open(path);
  if (!reader) return pass_error(reader);
  for (bool more = true; more;) {
    std::unique_ptr<Chunk> chunk = empty();
    chunk->file = file;
    chunk->first_line = (*reader)->line_number() + 1;
    chunk->bytes.reserve(limits::kReplayChunkBytes + limits::kEventLineBytesMax);
    while (chunk->bytes.size() < limits::kReplayChunkBytes) {
      std::string_view line;
      auto status = (*reader)->next(line);
      if (!status) chunk->damage = status.error().message;
      more = status && *status != Status::kEnd;
      if (!more) break;
      if (*status != Status::kLine) chunk->odd.push_back({chunk->ends.size(), *status});
      chunk->bytes += line;
      chunk->ends.push_back(chunk->bytes.size());
    }
    take(std::move(chunk));
  }
  return {};
}

}  // namespace

Result<Summary> replay_files(const std::vector<std::string>& files, const Candidates& candidates,
                             const ReplayOptions& options) {
  Replayer replayer(candidates);
  std::uint64_t bytes = 0;
  std::vector<std::unique_ptr<Chunk>> spare;  // their memory is used again
  const auto empty = [&] {
    if (spare.empty()) return std::make_unique<Chunk>();
    std::unique_ptr<Chunk> chunk = std::move(spare.back());
    spare.pop_back();
    chunk->clear();
    return chunk;
  };
  const auto finish = [&](std::unique_ptr<Chunk> chunk) {
    count(*chunk, files, replayer);
    bytes += chunk->bytes.size() + chunk->ends.size();
    if (options.progress) options.progress(bytes);
    spare.push_back(std::move(chunk));
  };
  std::unique_ptr<Crew> crew;
  if (options.threads > 1) {
    crew = std::make_unique<Crew>(candidates, std::min(options.threads, limits::kReplayThreadsMax));
  }
  Examiner examiner(candidates, &replayer.known());
  for (std::size_t file = 0; file < files.size(); ++file) {
    ++replayer.summary().input.files;
    auto read = each_chunk(files[file], file, empty, [&](std::unique_ptr<Chunk> chunk) {
      if (!crew) {
        examine(examiner, *chunk);
        return finish(std::move(chunk));
      }
      crew->put(std::move(chunk));
      while (crew->under_way() > 2 * options.threads) finish(crew->take());
    });
    if (!read) return pass_error(read);
  }
  while (crew && crew->under_way() > 0) finish(crew->take());
  return std::move(replayer.summary());
}

}  // namespace lilith::replay
