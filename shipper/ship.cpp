#include "shipper/ship.hpp"

#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/read/reader.hpp"
#include "shipper/checkpoint.hpp"
#include "shipper/own_log.hpp"
#include "shipper/sink.hpp"
#include "shipper/watcher.hpp"
#include "shipper/worker.hpp"

#include <algorithm>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <thread>

namespace lilith::shipper {
namespace {

constexpr const char* kOwnLogName = "/lilith-ship.log";

Result<UniqueFd> lock_state(const std::string& state_dir) {
  const std::string path = state_dir + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return fail_errno("cannot open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::kUnavailable, "another shipper uses " + state_dir, EWOULDBLOCK);
  }
  return fd;
}

}  // namespace

Result<ShipResult> ship(const Config& config, const ShipOptions& options, std::stop_token stop,
                        const Clock& clock) {
  if (auto made = make_directories(config.state_dir, 0750); !made) return pass_error(made);
  auto lock = lock_state(config.state_dir);
  if (!lock) return pass_error(lock);
  OwnLog own_log(config.state_dir + kOwnLogName, options.host, clock);
  std::vector<std::string> sources = config.sources;
  sources.push_back(own_log.path());
  Watcher watcher(sources);
  Shared shared{config, options, clock, own_log, watcher};
  std::vector<std::unique_ptr<Worker>> workers;
  for (const SinkConfig& sink_config : config.sinks) {
    auto sink = make_sink(sink_config);
    if (!sink) return pass_error(sink);
    workers.push_back(std::make_unique<Worker>(shared, sink_config, std::move(*sink)));
    if (auto opened = workers.back()->open(sources); !opened) return pass_error(opened);
  }
  std::vector<ShipResult> results(workers.size(), ShipResult::kDone);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = workers[i]->run(stop); });
    }
  }
  for (const ShipResult worse : {ShipResult::kFailed, ShipResult::kIncomplete}) {
    if (std::find(results.begin(), results.end(), worse) != results.end()) return worse;
  }
  return ShipResult::kDone;
}

Result<std::vector<SinkStatus>> status(const Config& config) {
  std::vector<SinkStatus> out;
  std::vector<std::string> sources = config.sources;
  sources.push_back(config.state_dir + kOwnLogName);
  for (const SinkConfig& sink : config.sinks) {
    const Cursors cursors = CheckpointFile(config.state_dir, sink.name).load().cursors;
    for (const std::string& source : sources) {
      const auto found = cursors.find(source);
      const audit::Position position = found == cursors.end() ? audit::Position{} : found->second;
      audit::FollowOptions options;
      options.path = source;
      auto follower = audit::Follower::open(options, position);
      if (!follower) return pass_error(follower);
      out.push_back({sink.name, source, position.seq, (*follower)->lag_bytes()});
    }
  }
  return out;
}

}  // namespace lilith::shipper
