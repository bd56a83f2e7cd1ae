#pragma once
// The seqs that a sink's route keeps from it, until an event names them: in a log of that sink
// alone, which it is shipped as a further source, so that another sink's receiver does not take for
// withheld what it lost. What is not named yet stands in the sink's checkpoint.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/cursors.hpp"
#include "audit/read/withheld.hpp"
#include "shipper/line.hpp"
#include "shipper/own_log.hpp"

#include <functional>
#include <map>
#include <string>

namespace lilith::shipper {

[[nodiscard]] inline std::string withheld_log_path(const std::string& state_dir,
                                                   const std::string& sink) {
  return state_dir + "/" + sink + ".withheld.log";
}

class WithheldLog {
 public:
  // `failed` hears of events that could not be written.
  WithheldLog(const std::string& state_dir, std::string sink, const std::string& host,
              const Clock& clock, std::function<void(const Error&)> failed);
  [[nodiscard]] const std::string& path() const { return log_.path(); }

  // What a checkpoint says; named as soon as name_due() is called.
  void restore(const audit::Cursors& cursors);
  // An event of `source` that was read and is not sent.
  void add(const std::string& source, const LineFields& event);
  // Names what has waited for long enough, or everything; whether anything was named. What can't
  // be written stays, and is tried again after a while.
  bool name_due(bool everything);
  // What is not named yet, into the cursors of a checkpoint.
  void put_into(audit::Cursors& cursors) const;

 private:
  struct Pending {
    audit::Withheld withheld;
    MonotonicTime due{};  // when it is named, or after a failure tried again
    bool failed = false;
  };
  bool name(Pending& pending);
  [[nodiscard]] MonotonicTime later() const;

  std::string sink_;
  const Clock& clock_;
  std::function<void(const Error&)> failed_;
  OwnLog log_;
  std::map<std::string, Pending> pending_;  // by source
};

}  // namespace lilith::shipper
