// `lilith-mcp-http`: an MCP server over Streamable HTTP as one over standard input and output.
// `lilith mcp --url` starts it, decides what passes between it and the client, and has judged the
// addresses that it gets.

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/unique_fd.hpp"
#include "enforcer/mcp/http_bridge.hpp"
#include "enforcer/mcp/http_headers.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/signalfd.h>
#include <unistd.h>
#include <vector>

namespace lilith::enforcer::mcp {
namespace {

using std::chrono::milliseconds;

constexpr int kGood = 0, kBroken = 1, kUsage = 2;
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
constexpr milliseconds kWaitMax{60'000};

void say(const std::string& lines) {
  // Standard error is for people; that nobody reads it stops nothing.
  if (auto ignored = write_all(STDERR_FILENO, lines); !ignored) return;
}

int complain(const std::string& message) {
  say("lilith mcp: " + message + "\n");
  return kUsage;
}

struct Arguments {
  HttpServer server;
  std::vector<std::string> headers;
};

Result<Arguments> read_arguments(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    std::string* const into = name == "--url"       ? &out.server.url
                              : name == "--resolve" ? &out.server.resolve
                              : name == "--proxy"   ? &out.server.proxy
                              : name == "--ca"      ? &out.server.ca
                              : name == "--header"  ? &out.headers.emplace_back()
                                                    : nullptr;
    if (into == nullptr || i + 1 >= argc) {
      return fail(ErrorCode::kInvalidInput, "this program is started by lilith mcp --url URL");
    }
    *into = argv[++i];
  }
  return out;
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

UniqueFd blocked_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

class Loop {
 public:
  Loop(HttpClient& client, HttpBridge& bridge, int signals)
      : client_(client), bridge_(bridge), signals_(signals) {}
  int run();

 private:
  void wait();
  void read_client();
  void write_client();
  void write_last_words();

  HttpClient& client_;
  HttpBridge& bridge_;
  int signals_;
  bool input_open_ = true, output_open_ = true, told_ = false;
  std::string buffer_ = std::string(kReadBytes, '\0');
};

void Loop::read_client() {
  const ssize_t got = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got > 0) {
    return bridge_.from_client(std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
  }
  input_open_ = false;
  bridge_.end_of_client();
}

void Loop::write_client() {
  std::string& bytes = bridge_.to_client();
  std::size_t done = 0;
  while (done < bytes.size() && output_open_) {
    const ssize_t put = ::write(STDOUT_FILENO, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) {
      output_open_ = input_open_ = false;
      bridge_.end_now();
      break;
    }
    done += static_cast<std::size_t>(put);
  }
  bytes.erase(0, output_open_ ? done : bytes.size());
}

// The session is over; what the client has not read in a while it will not read.
void Loop::write_last_words() {
  while (output_open_ && !bridge_.to_client().empty()) {
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    if (::poll(&output, 1, static_cast<int>(limits::kMcpHttpGoodbyeDeadline.count())) <= 0) return;
    write_client();
  }
}

void Loop::wait() {
  const bool reads = input_open_ && !bridge_.congested();
  const bool writes = output_open_ && !bridge_.to_client().empty();
  std::array<pollfd, 3> fds{{{signals_, POLLIN, 0},
                             {reads ? STDIN_FILENO : -1, POLLIN, 0},
                             {writes ? STDOUT_FILENO : -1, POLLOUT, 0}}};
  milliseconds timeout = kWaitMax;
  if (const MonotonicTime due = bridge_.next_due(); due != MonotonicTime::max()) {
    const auto left = std::chrono::ceil<milliseconds>(due - system_clock().monotonic());
    timeout = std::clamp(left, milliseconds(0), kWaitMax);
  }
  client_.wait(fds, timeout);
  if ((fds[0].revents & POLLIN) != 0) {
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) told_ = true;
    if (told_) {
      input_open_ = false;
      bridge_.end_now();
    }
  }
  if (fds[1].revents != 0 && input_open_) read_client();
}

int Loop::run() {
  while (true) {
    bridge_.pump();
    write_client();
    // Behind the writing: a client that takes all at once gives no other sign that there is room.
    client_.resume();
    if (!bridge_.complaints.empty()) say(std::exchange(bridge_.complaints, {}));
    if (bridge_.broken()) {
      write_last_words();
      return kBroken;
    }
    const bool said_all = bridge_.to_client().empty() || !output_open_ || told_;
    if (bridge_.done() && said_all) return kGood;
    wait();
  }
}

int bridge_main(int argc, char** argv) {
  auto arguments = read_arguments(argc, argv);
  if (!arguments) return complain(arguments.error().message);
  auto headers = read_headers(arguments->headers, environment);
  if (!headers) return complain(headers.error().message);
  arguments->server.user_agent = std::string("lilith-mcp/") + LILITH_VERSION;
  auto client = HttpClient::make(arguments->server);
  if (!client) return complain(client.error().message);
  const UniqueFd signals = blocked_signals();
  if (!signals.valid()) return complain("cannot wait for signals");
  // A pipe of ours alone: lilith mcp made it.
  ::fcntl(STDOUT_FILENO, F_SETFL, ::fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
  HttpBridge bridge(**client, std::move(*headers), system_clock());
  return Loop(**client, bridge, signals.get()).run();
}

}  // namespace
}  // namespace lilith::enforcer::mcp

int main(int argc, char** argv) { return lilith::enforcer::mcp::bridge_main(argc, argv); }
