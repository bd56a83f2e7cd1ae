#include "shipper/http_client.hpp"

#include "audit/redact.hpp"

#include <algorithm>
#include <curl/curl.h>
#include <dlfcn.h>
#include <tuple>

namespace lilith::shipper {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kReasonBytesMax = 300;
constexpr std::size_t kSearchedBytesMax = std::size_t{64} * 1024;

// libcurl as it is loaded while the program runs: a shipper without a sink that speaks HTTP holds
// none of its pages, nor those of what it brings (Kerberos, LDAP, SSH and more: 1.4 MB). It comes
// from where the loader finds the libraries that a program names itself.
struct Curl {
  decltype(&::curl_global_init) curl_global_init;
  decltype(&::curl_easy_init) curl_easy_init;
  decltype(&::curl_easy_cleanup) curl_easy_cleanup;
  decltype(&::curl_easy_setopt) curl_easy_setopt;
  decltype(&::curl_easy_perform) curl_easy_perform;
  decltype(&::curl_easy_getinfo) curl_easy_getinfo;
  decltype(&::curl_easy_strerror) curl_easy_strerror;
  decltype(&::curl_slist_append) curl_slist_append;
  decltype(&::curl_slist_free_all) curl_slist_free_all;
};

Result<Curl> load_curl() {
  const auto failed = [] {
    const char* const why = ::dlerror();
    return fail(ErrorCode::kIo,
                std::string("libcurl cannot be loaded: ") +
                    (why != nullptr ? why : "no reason is given") +
                    "; sinks that speak HTTP and status need it (Debian: libcurl4)");
  };
  void* const library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return failed();
  bool whole = true;
  const auto find = [&]<class Function>(const char* name, Function*& into) {
    into = reinterpret_cast<Function*>(::dlsym(library, name));
    whole = whole && into != nullptr;
  };
  Curl curl{};
  find("curl_global_init", curl.curl_global_init);
  find("curl_easy_init", curl.curl_easy_init);
  find("curl_easy_cleanup", curl.curl_easy_cleanup);
  find("curl_easy_setopt", curl.curl_easy_setopt);
  find("curl_easy_perform", curl.curl_easy_perform);
  find("curl_easy_getinfo", curl.curl_easy_getinfo);
  find("curl_easy_strerror", curl.curl_easy_strerror);
  find("curl_slist_append", curl.curl_slist_append);
  find("curl_slist_free_all", curl.curl_slist_free_all);
  if (!whole) return failed();
  if (curl.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(ErrorCode::kIo, "libcurl cannot start");
  return curl;
}

const Result<Curl>& loaded() {
  static const Result<Curl> kOnce = load_curl();
  return kOnce;
}

// After HttpClient::ready() was good.
const Curl& curl() { return *loaded(); }

struct FreeEasy {
  void operator()(CURL* easy) const { curl().curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl().curl_slist_free_all(list); }
};

std::size_t take_answer(char* bytes, std::size_t one, std::size_t count, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  // Returning less than was given ends the transfer.
  if (answer.size() + one * count > kAnswerBytesMax) return 0;
  answer.append(bytes, one * count);
  return one * count;
}

}  // namespace

std::string said_by(std::string_view body, const SinkConfig& config) {
  std::string said(body.substr(0, kSearchedBytesMax));
  for (const std::string& secret : {config.password.value, config.token.value}) {
    if (secret.empty()) continue;
    constexpr std::string_view kInstead = "[secret]";
    for (std::size_t at = 0; (at = said.find(secret, at)) != std::string::npos;
         at += kInstead.size()) {
      said.replace(at, secret.size(), kInstead);
    }
  }
  std::ignore = audit::redact_text(said);
  return said.substr(0, kReasonBytesMax);
}

bool is_passing(long status) {
  return status == 0 || status == 401 || status == 403 || status == 404 || status == 408 ||
         status == 425 || status == 429 || status >= 500 || (status >= 300 && status < 400);
}

std::optional<std::string> get_from_socket(const std::string& socket, const std::string& path,
                                           std::chrono::milliseconds timeout) {
  const std::unique_ptr<CURL, FreeEasy> easy(curl().curl_easy_init());
  if (!easy) return std::nullopt;
  const auto set = curl().curl_easy_setopt;
  std::string answer;
  set(easy.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  set(easy.get(), CURLOPT_URL, ("http://lilith" + path).c_str());
  set(easy.get(), CURLOPT_PROXY, "");
  set(easy.get(), CURLOPT_NOSIGNAL, 1L);
  set(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  set(easy.get(), CURLOPT_FAILONERROR, 1L);
  set(easy.get(), CURLOPT_WRITEFUNCTION, take_answer);
  set(easy.get(), CURLOPT_WRITEDATA, &answer);
  if (curl().curl_easy_perform(easy.get()) != CURLE_OK) return std::nullopt;
  return answer;
}

struct HttpClient::Impl {
  void set_options(CURL* easy);
  HttpReply post(std::string_view body);

  std::string url_;
  SinkConfig config_;
  bool with_password_;
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
};

void HttpClient::Impl::set_options(CURL* easy) {
  curl().curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
  curl().curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl().curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl().curl_easy_setopt(easy, CURLOPT_USERAGENT, "lilith-ship");
  curl().curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
  curl().curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                          static_cast<long>(config_.connect_timeout.count()));
  curl().curl_easy_setopt(
      easy, CURLOPT_TIMEOUT_MS,
      static_cast<long>((config_.connect_timeout + config_.send_timeout).count()));
  if (with_password_ && !config_.username.empty()) {
    curl().curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl().curl_easy_setopt(easy, CURLOPT_USERNAME, config_.username.c_str());
    curl().curl_easy_setopt(easy, CURLOPT_PASSWORD, config_.password.value.c_str());
  }
  const TlsConfig& tls = config_.tls;
  if (!tls.ca.empty()) curl().curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca.c_str());
  if (!tls.certificate.empty()) {
    curl().curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate.c_str());
    curl().curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key.c_str());
  }
  curl().curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl().curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  curl().curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
}

HttpReply HttpClient::Impl::post(std::string_view body) {
  HttpReply reply;
  if (!easy_) {
    easy_.reset(curl().curl_easy_init());
    if (!easy_) {
      reply.error = "libcurl cannot start";
      return reply;
    }
    set_options(easy_.get());
  }
  CURL* easy = easy_.get();
  char why[CURL_ERROR_SIZE] = "";
  curl().curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
  curl().curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl().curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply.body);
  curl().curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.begin());
  curl().curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const CURLcode code = curl().curl_easy_perform(easy);
  curl().curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK) {
    reply.error = url_ + ": " + (why[0] != '\0' ? why : curl().curl_easy_strerror(code));
    easy_.reset();  // certificates may have been renewed: read them again
    return reply;
  }
  curl().curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);
  curl_off_t after = 0;
  curl().curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after);
  reply.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(after, 0, 3600));
  if (!reply.good()) {
    reply.error =
        url_ + " answered " + std::to_string(reply.status) + ": " + said_by(reply.body, config_);
  }
  return reply;
}

Result<void> HttpClient::ready() {
  if (!loaded()) return std::unexpected(loaded().error());
  return {};
}

HttpClient::HttpClient(std::string url, const SinkConfig& config, bool with_password)
    : impl_(std::make_unique<Impl>()) {
  impl_->url_ = std::move(url);
  impl_->config_ = config;
  impl_->with_password_ = with_password;
}

HttpClient::~HttpClient() = default;

void HttpClient::set_headers(const std::vector<std::string>& headers) {
  std::unique_ptr<curl_slist, FreeList> list;
  for (const std::string& header : headers) {
    curl_slist* longer = curl().curl_slist_append(list.get(), header.c_str());
    if (longer == nullptr) break;
    std::ignore = list.release();
    list.reset(longer);
  }
  impl_->headers_ = std::move(list);
}

HttpReply HttpClient::post(std::string_view body) { return impl_->post(body); }

}  // namespace lilith::shipper
