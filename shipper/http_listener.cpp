#include "shipper/http_listener.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <map>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kConnectionBytesMax = std::size_t{32} * 1024;
constexpr int kBacklog = 64;

class Listener final : public HttpListener {
 public:
  explicit Listener(std::function<HttpAnswer(std::string_view)> answer)
      : answer_(std::move(answer)), end_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Listener() override {
    if (thread_.joinable()) {
      const std::uint64_t one = 1;
      (void)!::write(end_.get(), &one, sizeof one);
      thread_.join();
    }
    if (daemon_ != nullptr) ::MHD_stop_daemon(daemon_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  Result<void> listen(UniqueFd socket) {
    // From here on libmicrohttpd closes the socket.
    daemon_ = ::MHD_start_daemon(
        MHD_USE_EPOLL, 0, nullptr, nullptr, &Listener::on_request, this, MHD_OPTION_LISTEN_SOCKET,
        socket.release(), MHD_OPTION_CONNECTION_LIMIT, kConnectionsMax,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytesMax, MHD_OPTION_NOTIFY_CONNECTION,
        &Listener::on_connection, this, MHD_OPTION_END);
    if (daemon_ == nullptr) return fail(ErrorCode::kIo, "cannot listen: libmicrohttpd refused");
    epoll_ = ::MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    thread_ = std::thread([this] { run(); });
    return {};
  }

 private:
  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url,
                               const char* method, const char* /*version*/, const char* /*body*/,
                               std::size_t* /*body_size*/, void** /*context*/) {
    // Answered with the head alone: a body is not read, and the connection ends with the answer.
    const std::string_view verb = method;
    HttpAnswer answer;
    if (verb == MHD_HTTP_METHOD_GET || verb == MHD_HTTP_METHOD_HEAD) {
      answer = static_cast<Listener*>(self)->answer_(url);
    } else {
      answer = {MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "GET and HEAD only\n"};
    }
    MHD_Response* const response = ::MHD_create_response_from_buffer(
        answer.body.size(), answer.body.data(), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    ::MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.content_type.c_str());
    ::MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
      ::MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    const MHD_Result queued = ::MHD_queue_response(connection, answer.status, response);
    ::MHD_destroy_response(response);
    return queued;
  }

  static void on_connection(void* self, MHD_Connection* connection, void** /*context*/,
                            MHD_ConnectionNotificationCode code) {
    auto& since = static_cast<Listener*>(self)->since_;
    const MHD_ConnectionInfo* const info =
        ::MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      since[info->connect_fd] = SteadyClock::now();
    } else {
      since.erase(info->connect_fd);
    }
  }

  // Ends connections that are too old, however busy they look; how long until the next one is.
  int end_old_ones() {
    const auto now = SteadyClock::now();
    int wait = -1;
    for (const auto& [fd, since] : since_) {
      const auto left = std::chrono::ceil<milliseconds>(since + kConnectionLife - now);
      if (left.count() <= 0) ::shutdown(fd, SHUT_RDWR);
      const int ms = static_cast<int>(std::max<milliseconds::rep>(left.count(), 1));
      if (wait < 0 || ms < wait) wait = ms;
    }
    return wait;
  }

  void run() {
    for (;;) {
      int wait = end_old_ones();
      MHD_UNSIGNED_LONG_LONG ms = 0;
      if (::MHD_get_timeout(daemon_, &ms) == MHD_YES) {
        const int at_most = static_cast<int>(std::min<MHD_UNSIGNED_LONG_LONG>(ms, 60'000));
        if (wait < 0 || at_most < wait) wait = at_most;
      }
      pollfd fds[] = {{epoll_, POLLIN, 0}, {end_.get(), POLLIN, 0}};
      if (::poll(fds, 2, wait) < 0 && errno != EINTR) return;
      if (fds[1].revents != 0) return;
      // At its limit libmicrohttpd does not listen; that a connection has ended it sees when it is
      // run again.
      const std::size_t before = since_.size();
      ::MHD_run(daemon_);
      if (since_.size() < before) ::MHD_run(daemon_);
    }
  }

  std::function<HttpAnswer(std::string_view)> answer_;
  UniqueFd end_;
  MHD_Daemon* daemon_ = nullptr;
  int epoll_ = -1;
  std::map<int, SteadyClock::time_point> since_;  // open connections by descriptor
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<HttpListener>> HttpListener::start(
    UniqueFd socket, std::function<HttpAnswer(std::string_view path)> answer) {
  auto listener = std::make_unique<Listener>(std::move(answer));
  if (auto listening = listener->listen(std::move(socket)); !listening)
    return pass_error(listening);
  return listener;
}

Result<UniqueFd> listen_tcp(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string where = host + ":" + std::to_string(port);
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
      error != 0)
    return fail(ErrorCode::kInvalidInput, "cannot listen on " + where + ": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
  UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!fd.valid() || ::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(fd.get(), kBacklog) != 0)
    return fail_errno("cannot listen on " + where);
  return fd;
}

Result<UniqueFd> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorCode::kLimitExceeded, "the path of the socket " + path + " is longer than " +
                                               std::to_string(sizeof address.sun_path - 1) +
                                               " bytes (unix(7))");
  path.copy(address.sun_path, path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail_errno("cannot make the socket " + path);
  ::unlink(path.c_str());
  // Before bind(2), which makes the file with the mode of the socket (unix(7)).
  ::fchmod(fd.get(), 0600);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0)
    return fail_errno("cannot listen on " + path);
  return fd;
}

}  // namespace lilith::shipper
