#include "tests/support/support.hpp"

#include "audit/base/file.hpp"
#include "audit/base/unique_fd.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace lilith::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Told to the reader of a failing test; the test process is in no state to go on.
[[noreturn]] void give_up(const std::string& what) {
  std::perror(what.c_str());
  std::abort();
}

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) give_up("pipe2");
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
};

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& changes) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    all[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : changes) all[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

ManualClock::ManualClock(std::string_view rfc3339) : wall_(parse_time(rfc3339).value()) {}

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "lilith-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) give_up("mkdtemp");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_text(const std::string& path) {
  auto content = read_file(path, std::size_t{1} << 31);
  if (!content) {
    ADD_FAILURE() << content.error().message;
    return {};
  }
  return std::move(*content);
}

void write_text(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

void append_text(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

struct Process::Impl {
  pid_t pid = -1;
  Pipe input, output, error;
  std::thread feeder;
  std::thread out_reader, err_reader;
  std::string out, err;
  std::optional<int> status;
  SteadyClock::time_point started, ended;

  void reap(int flags) {
    int raw = 0;
    if (!status && pid > 0 && ::waitpid(pid, &raw, flags) == pid) {
      status = raw;
      ended = SteadyClock::now();
    }
  }
  void join() {
    for (std::thread* thread : {&feeder, &out_reader, &err_reader}) {
      if (thread->joinable()) thread->join();
    }
  }
};

Process::Process(const std::vector<std::string>& argv, const ProcessOptions& options)
    : impl_(std::make_unique<Impl>()) {
  std::vector<std::string> arguments = argv;
  std::vector<std::string> environment = merged_environment(options.environment);
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);
  ::signal(SIGPIPE, SIG_IGN);
  impl_->started = SteadyClock::now();
  impl_->pid = ::fork();
  if (impl_->pid < 0) give_up("fork");
  if (impl_->pid == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    ::dup2(impl_->input.read.get(), 0);
    ::dup2(impl_->output.write.get(), 1);
    ::dup2(impl_->error.write.get(), 2);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
    if (options.uid && (::setgid(*options.uid) != 0 || ::setuid(*options.uid) != 0)) ::_exit(126);
    ::execvpe(argument_pointers[0], argument_pointers.data(), environment_pointers.data());
    ::_exit(127);
  }
  impl_->input.read.reset();
  impl_->output.write.reset();
  impl_->error.write.reset();
  impl_->feeder = std::thread([fd = std::move(impl_->input.write), text = options.input] {
    // A program may end without reading its input; that is its business.
    if (auto written = write_all(fd.get(), text); !written) return;
  });
  const auto drain = [](int fd, std::string& into) {
    std::array<char, 65536> buffer;
    for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
    }
  };
  impl_->out_reader = std::thread([this, drain] { drain(impl_->output.read.get(), impl_->out); });
  impl_->err_reader = std::thread([this, drain] { drain(impl_->error.read.get(), impl_->err); });
}

Process::~Process() {
  impl_->reap(WNOHANG);
  if (!impl_->status) {
    ::kill(impl_->pid, SIGKILL);
    impl_->reap(0);
  }
  impl_->join();
}

void Process::signal(int number) { ::kill(impl_->pid, number); }

int Process::pid() const { return impl_->pid; }

bool Process::running() {
  impl_->reap(WNOHANG);
  return !impl_->status.has_value();
}

ProcessResult Process::wait(std::chrono::milliseconds timeout) {
  ProcessResult result;
  if (!eventually([this] { return !running(); }, timeout)) {
    result.timed_out = true;
    ::kill(impl_->pid, SIGKILL);
    impl_->reap(0);
  }
  impl_->join();
  const int status = impl_->status.value_or(0);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  result.out = impl_->out;
  result.err = impl_->err;
  result.wall =
      std::chrono::duration_cast<std::chrono::microseconds>(impl_->ended - impl_->started);
  return result;
}

ProcessResult run(const std::vector<std::string>& argv, const ProcessOptions& options) {
  Process process(argv, options);
  return process.wait(options.timeout);
}

bool eventually(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  for (auto pause = std::chrono::microseconds(200);;
       pause = std::min(pause * 2, std::chrono::microseconds(20'000))) {
    if (done()) return true;
    if (SteadyClock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
  }
}

struct Receiver::Impl {
  Kind kind = Kind::kTcp;
  UniqueFd socket;
  Pipe stop;
  int port = 0;
  mutable std::mutex mutex;
  std::string bytes;            // guarded by mutex
  std::size_t connections = 0;  // guarded by mutex
  std::thread thread;

  void keep(const char* data, ssize_t size) {
    const std::scoped_lock lock(mutex);
    bytes.append(data, static_cast<std::size_t>(size));
  }
  void serve();
};

void Receiver::Impl::serve() {
  std::vector<UniqueFd> clients;
  std::vector<char> buffer(std::size_t{1} << 20);
  for (;;) {
    std::vector<pollfd> waits{{stop.read.get(), POLLIN, 0}, {socket.get(), POLLIN, 0}};
    for (const UniqueFd& client : clients) waits.push_back({client.get(), POLLIN, 0});
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return;
    for (std::size_t i = clients.size(); i-- > 0;) {
      if (waits[i + 2].revents == 0) continue;
      const ssize_t got = ::read(clients[i].get(), buffer.data(), buffer.size());
      if (got > 0) {
        keep(buffer.data(), got);
      } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    if (waits[1].revents == 0) continue;
    if (kind == Kind::kTcp) {
      UniqueFd client(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) continue;
      const std::scoped_lock lock(mutex);
      ++connections;
      clients.push_back(std::move(client));
    } else if (const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0); got > 0) {
      keep(buffer.data(), got);
    }
  }
}

Receiver::Receiver(Kind kind, int port) : impl_(std::make_unique<Impl>()) {
  impl_->kind = kind;
  const int type = kind == Kind::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  impl_->socket.reset(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(impl_->socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(impl_->socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    give_up("bind");
  }
  if (kind == Kind::kTcp && ::listen(impl_->socket.get(), 64) != 0) give_up("listen");
  if (::getsockname(impl_->socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("getsockname");
  }
  impl_->port = ntohs(address.sin_port);
  impl_->thread = std::thread([this] { impl_->serve(); });
}

Receiver::~Receiver() { stop(); }

void Receiver::stop() {
  impl_->stop.write.reset();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->socket.reset();
}

int Receiver::port() const { return impl_->port; }

std::string Receiver::received() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->bytes;
}

std::size_t Receiver::connections() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->connections;
}

bool Receiver::wait_until(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  return eventually(done, timeout);
}

std::optional<std::string> shared_path(std::string_view file) {
  const char* from_environment = std::getenv("LILITH_SHARED");
  const std::string base = from_environment != nullptr
                               ? from_environment
                               : std::string(LILITH_SOURCE_DIR) + "/../shared";
  std::string path = base + "/" + std::string(file);
  if (::access(path.c_str(), R_OK) != 0) return std::nullopt;
  return path;
}

void expect_golden(std::string_view name, std::string_view actual) {
  const std::string path = std::string(LILITH_SOURCE_DIR) + "/tests/golden/" + std::string(name);
  if (std::getenv("LILITH_UPDATE_GOLDEN") != nullptr) {
    write_text(path, actual);
    return;
  }
  ASSERT_EQ(::access(path.c_str(), R_OK), 0)
      << path << " is missing; LILITH_UPDATE_GOLDEN=1 writes it";
  EXPECT_EQ(read_text(path), actual) << "golden file " << path;
}

}  // namespace lilith::test
