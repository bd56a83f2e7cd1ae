#pragma once
// What reaches the shipper from outside while it runs: signals, and changes of its configuration
// file.

#include "audit/base/unique_fd.hpp"

#include <stop_token>
#include <string>
#include <thread>

namespace lilith::shipper {

// SIGTERM and SIGINT ask for a stop, a second one ends the process with `impatient_exit`. SIGHUP,
// and a change of the configuration file's content, ask for a reload. Sleeps until one of them
// comes.
class Control {
 public:
  // Blocks these signals in the calling thread, for threads begun later to inherit: to be made
  // before any. `config_text` is the content that is in force.
  Control(std::string config_path, std::string config_text, std::stop_source& stop,
          int impatient_exit);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // An eventfd(2) that counts the reloads asked for.
  [[nodiscard]] int reload_fd() const { return reload_.get(); }

 private:
  void run();
  void take_signals();
  void take_changes();
  void look_at_file();

  const std::string path_;
  std::string text_;  // as seen last
  std::stop_source& stop_;
  const int impatient_exit_;
  UniqueFd signals_, changes_, reload_, end_;
  std::thread thread_;
};

}  // namespace lilith::shipper
