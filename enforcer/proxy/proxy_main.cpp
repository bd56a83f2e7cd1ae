#include "enforcer/proxy/proxy_main.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/text.hpp"
#include "enforcer/proxy/server.hpp"

#include <csignal>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace lilith::enforcer::proxy {
namespace {

constexpr int kUsage = 2;

int complain(const std::string& message, int code) {
  if (auto ignored = write_all(STDERR_FILENO, "lilith proxy: " + message + "\n"); !ignored) {
    return code;
  }
  return code;
}

UniqueFd blocked_signals(std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

void raise_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int proxy_main(const ProxyArguments& arguments) {
  raise_open_files();
  ::signal(SIGPIPE, SIG_IGN);
  // Before there are threads, which inherit the mask.
  const UniqueFd stop = blocked_signals({SIGTERM, SIGINT}), reload = blocked_signals({SIGHUP});
  if (!stop.valid() || !reload.valid()) return complain("cannot wait for signals", kUsage);
  const auto listener = listen_at(arguments.listen);
  if (!listener) return complain(listener.error().message, kUsage);

  rules::UserRecord user;
  user.uid = static_cast<std::int64_t>(::getuid());
  if (auto known = rules::current_user()) user = *known;
  const Clock& clock = system_clock();
  GateOptions options;
  options.policy = arguments.policy;
  options.recorder = arguments.recorder;
  options.session = uuid_v7(clock.now());
  options.engine = arguments.engine;
  options.keeps_policy = true;
  Gate gate(options, clock, rules::real_file_system(), user, machine_places(user.home),
            process_of(::getpid()), "/");
  if (gate.policy() == nullptr) {
    complain("there is no usable policy, so everything is denied; see lilith policy check", 0);
  }
  const std::string ready = "lilith proxy: listening on " + bound_to(listener->get()) + "\n";
  if (auto ignored = write_all(STDOUT_FILENO, ready); !ignored) {
    complain(ignored.error().message, 0);
  }
  Server server({.listener = listener->get(), .connections_max = arguments.connections_max}, gate,
                system_resolver(), AddressGuard::of_this_machine());
  const auto served = server.serve(stop.get(), reload.get());
  return served ? 0 : complain(served.error().message, kUsage);
}

}  // namespace lilith::enforcer::proxy
