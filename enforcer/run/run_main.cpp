#include "enforcer/run/run_main.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/text.hpp"
#include "enforcer/proxy/proxy_main.hpp"
#include "enforcer/proxy/server.hpp"
#include "enforcer/recording.hpp"
#include "enforcer/run/fence.hpp"
#include "rules/agents/agents.hpp"
#include "rules/write_directories.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <thread>
#include <tuple>
#include <unistd.h>

namespace lilith::enforcer::run {
namespace {

constexpr int kUsage = 2;
constexpr int kSignalExit = 128;

int refuse(const std::string& why) {
  const std::string text = "lilith run: " + printable(why) + "; nothing was started\n";
  if (auto ignored = write_all(STDERR_FILENO, text); !ignored) return kUsage;
  return kUsage;
}

// Clients that know proxy variables use the proxy; the others get nowhere.
FenceOptions fence_options(const RunArguments& arguments, const Places& places,
                           const std::string& policy_path) {
  FenceOptions options;
  options.command = arguments.command;
  options.local_ports = arguments.local_ports;
  const std::string proxy = "http://127.0.0.1:" + std::to_string(options.proxy_port);
  for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy",
                           "ALL_PROXY", "npm_config_proxy", "npm_config_https_proxy"}) {
    options.environment.emplace_back(name, proxy);
  }
  // The fence has a loopback of its own, for servers that the agent starts.
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    options.environment.emplace_back(name, "localhost,127.0.0.1,::1");
  }
  options.environment.emplace_back("NODE_USE_ENV_PROXY", "1");
  options.environment.emplace_back("LILITH_FENCED", "1");
  options.remove_from_environment = {"npm_config_noproxy"};
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  const auto policy = std::filesystem::absolute(policy_path, error).string();
  for (const std::string& path : {self, policy, places.system_policy, places.user_policy}) {
    if (!path.empty()) options.read_only.push_back(path);
  }
  options.recorder = [places, option = arguments.recorder] {
    return recorder_socket(places, option);
  };
  return options;
}

// Where the policy allows write_file, and what programs can't do without: devices, their own /proc,
// temporary files, and the log of direct mode.
Result<confine::WritablePlaces> writable_places(const RunArguments& arguments,
                                                const rules::Policy& policy,
                                                const rules::UserRecord& user,
                                                const Places& places) {
  confine::WritablePlaces out;
  out.files_only = {"/dev", "/proc"};
  const auto allowed = rules::write_directories(policy, user.name, user.home);
  if (!allowed) {
    return fail(ErrorCode::kInvalidInput,
                "--confine-writes: the policy does not keep write_file to certain places (it only "
                "records, or allows by default)");
  }
  out.directories = *allowed;
  out.directories.insert(out.directories.end(), arguments.writable.begin(),
                         arguments.writable.end());
  for (const std::string& path : out.directories) {
    if (::access(path.c_str(), F_OK) != 0) {
      return fail(ErrorCode::kNotFound,
                  "--confine-writes: " + path + " is not there; make it first");
    }
  }
  const char* temporary = std::getenv("TMPDIR");
  const std::string log = policy.audit().log_path;
  // What a hook's first event would make, and could not make inside.
  for (const std::string& path : {log.substr(0, log.rfind('/')), places.user_state}) {
    if (!path.empty()) std::ignore = make_directories(path, 0700);
  }
  for (const std::string& path :
       {std::string("/tmp"), std::string("/var/tmp"), std::string("/dev/shm"),
        std::string(temporary == nullptr ? "" : temporary), log.substr(0, log.rfind('/')),
        places.user_state}) {
    if (!path.empty() && ::access(path.c_str(), W_OK) == 0) out.directories.push_back(path);
  }
  return out;
}

// The servers of a fence in threads of their own, until the end of the scope.
class Servers {
 public:
  Servers(const Fence& fence, const std::vector<int>& local_ports, Gate& gate)
      : stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    for (std::size_t i = 0; i < fence.listeners().size(); ++i) {
      proxy::ServerOptions options;
      options.listener = fence.listeners()[i].get();
      if (i > 0) options.fixed_port = local_ports[i - 1];
      if (i > 0) options.workers = 1;
      servers_.push_back(std::make_unique<proxy::Server>(options, gate, proxy::system_resolver(),
                                                         proxy::AddressGuard::of_this_machine()));
      threads_.emplace_back([this, server = servers_.back().get()] {
        if (auto served = server->serve(stop_.get()); !served) {
          std::ignore = write_all(STDERR_FILENO, "lilith run: " + served.error().message + "\n");
        }
      });
    }
  }
  ~Servers() {
    const std::uint64_t one = 1;
    std::ignore = ::write(stop_.get(), &one, sizeof one);
    for (std::thread& thread : threads_) thread.join();
  }
  Servers(const Servers&) = delete;
  Servers& operator=(const Servers&) = delete;

 private:
  UniqueFd stop_;
  std::vector<std::unique_ptr<proxy::Server>> servers_;
  std::vector<std::thread> threads_;
};

int port_of(const UniqueFd& listener) {
  const std::string where = proxy::bound_to(listener.get());
  return std::atoi(where.c_str() + where.rfind(':') + 1);
}

// Hands signals on until the program has ended.
int look_after(pid_t pid, int signals) {
  while (true) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      return WIFSIGNALED(status) ? kSignalExit + WTERMSIG(status) : WEXITSTATUS(status);
    }
    signalfd_siginfo info{};
    pollfd wait{signals, POLLIN, 0};
    if (::poll(&wait, 1, -1) < 0) continue;
    if (::read(signals, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    const int number = static_cast<int>(info.ssi_signo);
    // What the terminal sent, the program has got itself.
    if (number != SIGCHLD && info.ssi_code <= 0) ::kill(pid, number);
  }
}

}  // namespace

int run_main(const RunArguments& arguments) {
  GateOptions options;
  if (!arguments.agent.empty()) {
    const auto agent = agents::agent_from_name(arguments.agent);
    if (!agent) return refuse("--agent " + arguments.agent + " is not known");
    options.agent = agents::name(*agent);
  }
  proxy::raise_open_files();
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) {
    ::sigaddset(&wanted, number);
  }
  ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
  const UniqueFd signals(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));

  rules::UserRecord user;
  user.uid = static_cast<std::int64_t>(::getuid());
  if (auto known = rules::current_user()) user = *known;
  const Places places = machine_places(user.home);
  options.policy = arguments.policy;
  options.recorder = arguments.recorder;
  options.session = uuid_v7(system_clock().now());
  options.engine = arguments.engine;
  options.enforcement = audit::Enforcement::kFenced;
  options.keeps_policy = true;
  Gate gate(options, system_clock(), rules::real_file_system(), user, places,
            process_of(::getpid()), "/");
  const auto policy = gate.policy();
  if (policy == nullptr) return refuse("there is no usable policy; see lilith policy check");
  const auto canary = proxy::listen_at("127.0.0.1:0");
  if (!canary) return refuse(canary.error().message);
  FenceOptions wanted_fence = fence_options(arguments, places, policy->file_name());
  if (arguments.confine_writes || !arguments.writable.empty()) {
    auto writable = writable_places(arguments, *policy, user, places);
    if (!writable) return refuse(writable.error().message);
    wanted_fence.writable = std::move(*writable);
  }
  auto fence = Fence::make(wanted_fence);
  if (!fence) return refuse("no fence: " + fence.error().message);
  const Servers servers(*fence, arguments.local_ports, gate);
  if (auto proven = fence->prove(port_of(*canary)); !proven) {
    ::kill(fence->pid(), SIGKILL);
    ::waitpid(fence->pid(), nullptr, 0);
    return refuse("the fence leaks: " + proven.error().message);
  }
  if (auto released = fence->release(); !released) {
    ::kill(fence->pid(), SIGKILL);
    ::waitpid(fence->pid(), nullptr, 0);
    return refuse(released.error().message);
  }
  return look_after(fence->pid(), signals.get());
}

}  // namespace lilith::enforcer::run
