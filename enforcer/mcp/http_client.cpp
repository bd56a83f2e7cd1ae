#include "enforcer/mcp/http_client.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <algorithm>
#include <array>
#include <curl/curl.h>
#include <mutex>
#include <optional>

namespace lilith::enforcer::mcp {
namespace {

struct FreeEasy {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { ::curl_multi_cleanup(multi); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;
struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

void append(List& list, const std::string& text) {
  curl_slist* longer = ::curl_slist_append(list.get(), text.c_str());
  if (longer == nullptr) return;
  std::ignore = list.release();
  list.reset(longer);
}

// A part of a URL; nullopt: it has none.
std::optional<std::string> part_of(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string part(text);
  ::curl_free(text);
  return part;
}

constexpr std::string_view kBlanks = " \t\r\n";

// One request and its answer.
struct Transfer {
  std::unique_ptr<CURL, FreeEasy> easy;
  List headers;
  std::string body;
  HttpExchange* exchange = nullptr;
  HttpHead head;
  bool head_done = false, paused = false;
  std::array<char, CURL_ERROR_SIZE> error{};
};

void take_field(HttpHead& head, std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = ascii_lower(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1), kBlanks);
  if (name == "content-type") {
    head.content_type = ascii_lower(trimmed(value.substr(0, value.find(';')), kBlanks));
  } else if (name == "mcp-session-id") {
    head.session_id = value;
  } else if (name == "location") {
    head.location = value;
  } else if (name == "www-authenticate") {
    head.www_authenticate = value;
  }
}

std::size_t on_header(char* bytes, std::size_t one, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(bytes, one * count);
  if (transfer.head_done) return line.size();  // a trailer
  if (line.starts_with("HTTP/")) {
    transfer.head = {};
  } else if (trimmed(line, kBlanks).empty()) {
    long status = 0;
    ::curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) return line.size();  // 100 Continue and the like; 0: the proxy's CONNECT
    transfer.head.status = static_cast<int>(status);
    transfer.head_done = true;
    transfer.exchange->on_head(transfer.head);
  } else {
    take_field(transfer.head, line);
  }
  return line.size();
}

std::size_t on_body(char* bytes, std::size_t one, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (!transfer.exchange->has_room()) {
    transfer.paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  transfer.exchange->on_bytes({bytes, one * count});
  return one * count;
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(const HttpServer& server) : server_(server), multi_(::curl_multi_init()) {
    if (!server.resolve.empty()) append(resolve_, server.resolve);
  }
  ~CurlClient() override {
    for (const auto& one : transfers_) ::curl_multi_remove_handle(multi_.get(), one->easy.get());
  }

  [[nodiscard]] Result<void> try_options();
  [[nodiscard]] Result<std::string> sibling(const std::string& reference) const override;
  void start(HttpRequest request, HttpExchange& exchange) override;
  void cancel(HttpExchange& exchange) override;
  void resume() override;
  void wait(std::span<pollfd> fds, std::chrono::milliseconds timeout) override;

 private:
  [[nodiscard]] CURLcode set_server(CURL* easy) const;
  void collect();

  HttpServer server_;
  List resolve_;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
};

CURLcode CurlClient::set_server(CURL* easy) const {
  const auto ok = [](std::initializer_list<CURLcode> codes) {
    for (const CURLcode code : codes) {
      if (code != CURLE_OK) return code;
    }
    return CURLE_OK;
  };
  CURLcode code = ok({
      ::curl_easy_setopt(easy, CURLOPT_URL, server_.url.c_str()),
      ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"),
      ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L),
      ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L),
      ::curl_easy_setopt(easy, CURLOPT_USERAGENT, server_.user_agent.c_str()),
      ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L),
      ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L),
      ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)),
      ::curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L),
      ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                         static_cast<long>(limits::kMcpHttpConnectDeadline.count())),
      // Empty: none, whatever http_proxy and its like say.
      ::curl_easy_setopt(easy, CURLOPT_PROXY, server_.proxy.c_str()),
      ::curl_easy_setopt(easy, CURLOPT_NOPROXY, ""),
      ::curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L),
      ::curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)),
  });
  if (code == CURLE_OK && !server_.ca.empty()) {
    code = ::curl_easy_setopt(easy, CURLOPT_CAINFO, server_.ca.c_str());
    if (code == CURLE_OK) code = ::curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  if (code == CURLE_OK && resolve_ != nullptr) {
    code = ::curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve_.get());
  }
  return code;
}

Result<void> CurlClient::try_options() {
  const std::unique_ptr<CURL, FreeEasy> easy(::curl_easy_init());
  if (multi_ == nullptr || easy == nullptr) return fail(ErrorCode::kIo, "libcurl cannot start");
  const CURLcode code = set_server(easy.get());
  if (code == CURLE_OK) return {};
  return fail(ErrorCode::kInvalidInput, server_.url + ": " + ::curl_easy_strerror(code));
}

Result<std::string> CurlClient::sibling(const std::string& reference) const {
  const Url base(::curl_url()), url(::curl_url());
  const auto set = [](const Url& into, const std::string& text) {
    return into != nullptr &&
           ::curl_url_set(into.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  };
  // Of a handle that has a URL the second is taken as relative to it (curl_url_set(3)).
  if (!set(base, server_.url) || !set(url, server_.url) || !set(url, reference)) {
    return fail(ErrorCode::kInvalidInput, "it is no URL");
  }
  for (const CURLUPart which : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    if (part_of(base, which, CURLU_DEFAULT_PORT) != part_of(url, which, CURLU_DEFAULT_PORT)) {
      return fail(ErrorCode::kInvalidInput, "it leads to another server");
    }
  }
  for (const CURLUPart which : {CURLUPART_USER, CURLUPART_PASSWORD}) {
    if (part_of(base, which) != part_of(url, which)) {
      return fail(ErrorCode::kInvalidInput, "it names a user");
    }
  }
  auto whole = part_of(url, CURLUPART_URL);
  if (!whole) return fail(ErrorCode::kInvalidInput, "it is no URL");
  return std::move(*whole);
}

void CurlClient::start(HttpRequest request, HttpExchange& exchange) {
  auto transfer = std::make_unique<Transfer>();
  transfer->easy.reset(::curl_easy_init());
  transfer->exchange = &exchange;
  CURL* easy = transfer->easy.get();
  // try_options() has shown that libcurl takes them.
  if (set_server(easy) != CURLE_OK) return exchange.on_end("libcurl refuses its options");
  if (!request.url.empty()) ::curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  transfer->body = std::move(request.body);
  for (const std::string& header : request.headers) append(transfer->headers, header);
  append(transfer->headers, "Expect:");  // no waiting for "100 Continue"
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers.get());
  if (request.method == HttpMethod::kPost) {
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body.data());
    ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(transfer->body.size()));
  } else if (request.method == HttpMethod::kDelete) {
    ::curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "DELETE");
  }
  ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.deadline.count()));
  ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error.data());
  ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer.get());
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  if (::curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
    return exchange.on_end("libcurl cannot start a request");
  }
  transfers_.push_back(std::move(transfer));
}

void CurlClient::cancel(HttpExchange& exchange) {
  std::erase_if(transfers_, [&](const auto& one) {
    if (one->exchange != &exchange) return false;
    ::curl_multi_remove_handle(multi_.get(), one->easy.get());
    return true;
  });
}

void CurlClient::resume() {
  for (const auto& one : transfers_) {
    if (!one->paused || !one->exchange->has_room()) continue;
    one->paused = false;
    ::curl_easy_pause(one->easy.get(), CURLPAUSE_CONT);
  }
}

void CurlClient::collect() {
  int left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const auto at = std::find_if(transfers_.begin(), transfers_.end(), [&](const auto& one) {
      return one->easy.get() == message->easy_handle;
    });
    if (at == transfers_.end()) continue;
    const std::unique_ptr<Transfer> done = std::move(*at);
    transfers_.erase(at);
    ::curl_multi_remove_handle(multi_.get(), done->easy.get());
    std::string error;
    if (code != CURLE_OK) {
      error = done->error[0] != '\0' ? done->error.data() : ::curl_easy_strerror(code);
    }
    done->exchange->on_end(error);
  }
}

void CurlClient::wait(std::span<pollfd> fds, std::chrono::milliseconds timeout) {
  std::vector<curl_waitfd> extra;
  for (const pollfd& one : fds) {
    if (one.fd < 0) continue;
    const auto events = static_cast<short>(((one.events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0) |
                                           ((one.events & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0));
    extra.push_back({one.fd, events, 0});
  }
  int ready = 0;
  ::curl_multi_poll(multi_.get(), extra.data(), static_cast<unsigned>(extra.size()),
                    static_cast<int>(timeout.count()), &ready);
  // What libcurl reports of others' descriptors lacks POLLHUP.
  for (pollfd& one : fds) one.revents = 0;
  ::poll(fds.data(), fds.size(), 0);
  int running = 0;
  ::curl_multi_perform(multi_.get(), &running);
  collect();
}

}  // namespace

Result<std::unique_ptr<HttpClient>> HttpClient::make(const HttpServer& server) {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
  auto client = std::make_unique<CurlClient>(server);
  if (auto tried = client->try_options(); !tried) return pass_error(tried);
  return client;
}

}  // namespace lilith::enforcer::mcp
