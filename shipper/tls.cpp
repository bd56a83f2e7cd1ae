// TLS by OpenSSL.

#include "shipper/stream.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <limits>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

namespace lilith::shipper {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct FreeContext {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Ssl = std::unique_ptr<SSL, FreeSsl>;

// OpenSSL's reason for the last failure, and its queue emptied.
std::string reason() {
  const int os_errno = errno;
  std::string out;
  for (unsigned long code = 0; (code = ::ERR_get_error()) != 0;) {
    const char* text = ::ERR_reason_error_string(code);
    if (text == nullptr) continue;
    if (!out.empty()) out += "; ";
    out += text;
  }
  if (out.empty() && os_errno != 0) return std::strerror(os_errno);
  return out.empty() ? "it ended the connection" : out;
}

bool is_address(const std::string& host) {
  in6_addr buffer{};
  return ::inet_pton(AF_INET, host.c_str(), &buffer) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

Result<Context> make_context(const TlsConfig& tls) {
  Context context(::SSL_CTX_new(::TLS_client_method()));
  if (!context) return fail(ErrorCode::kIo, "OpenSSL: " + reason());
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_mode(context.get(),
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const bool loaded =
      tls.ca.empty() ? ::SSL_CTX_set_default_verify_paths(context.get()) == 1
                     : ::SSL_CTX_load_verify_locations(context.get(), tls.ca.c_str(), nullptr) == 1;
  if (!loaded)
    return fail(ErrorCode::kInvalidInput, "cannot use the CA file " + tls.ca + ": " + reason());
  if (!tls.certificate.empty()) {
    if (::SSL_CTX_use_certificate_chain_file(context.get(), tls.certificate.c_str()) != 1)
      return fail(ErrorCode::kInvalidInput,
                  "cannot use the certificate " + tls.certificate + ": " + reason());
    if (::SSL_CTX_use_PrivateKey_file(context.get(), tls.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        ::SSL_CTX_check_private_key(context.get()) != 1)
      return fail(ErrorCode::kInvalidInput, "cannot use the key " + tls.key + ": " + reason());
  }
  ::SSL_CTX_set_session_cache_mode(context.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  ::SSL_CTX_set_verify(context.get(), tls.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return context;
}

class TlsStream final : public Stream {
 public:
  TlsStream(UniqueFd socket, Peer peer, Context context)
      : socket_(std::move(socket)), peer_(std::move(peer)), context_(std::move(context)) {}
  ~TlsStream() override {
    // One attempt: the peer may be gone.
    if (ssl_ && shaken_) ::SSL_shutdown(ssl_.get());
    ::ERR_clear_error();
  }
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  Result<void> handshake(const TlsConfig& tls, milliseconds timeout) {
    ssl_.reset(::SSL_new(context_.get()));
    if (!ssl_ || ::SSL_set_fd(ssl_.get(), socket_.get()) != 1)
      return fail(ErrorCode::kIo, "OpenSSL: " + reason());
    ::SSL_set_ex_data(ssl_.get(), 0, this);
    ::SSL_CTX_sess_set_new_cb(context_.get(), on_ticket);
    const std::string& name = tls.server_name.empty() ? peer_.host : tls.server_name;
    if (is_address(name)) {
      ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()), name.c_str());
    } else {
      // SSL_set_tlsext_host_name() is this call in a macro with a cast of the old style.
      std::string sni = name;
      ::SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni.data());
      ::SSL_set1_host(ssl_.get(), name.c_str());
    }
    const auto deadline = SteadyClock::now() + timeout;
    for (;;) {
      const int status = ::SSL_connect(ssl_.get());
      if (status == 1) break;
      if (wait_again(status, deadline)) continue;
      const long verdict = ::SSL_get_verify_result(ssl_.get());
      if (tls.verify && verdict != X509_V_OK)
        return fail(ErrorCode::kUnavailable, describe(peer_) + " is not trusted as " + name + ": " +
                                                 ::X509_verify_cert_error_string(verdict));
      return fail(ErrorCode::kUnavailable,
                  "no TLS with " + describe(peer_) + ": " +
                      (SteadyClock::now() >= deadline ? "no answer in time" : reason()));
    }
    shaken_ = true;
    // TLS 1.3: the handshake ends here before the peer has judged our certificate. Its session
    // ticket comes after that; until then what we send may be read by nobody.
    if (tls.certificate.empty() || ::SSL_version(ssl_.get()) != TLS1_3_VERSION) return {};
    return wait_for_ticket(deadline);
  }

  Result<void> send(std::string_view bytes, milliseconds timeout) override {
    const auto deadline = SteadyClock::now() + timeout;
    while (!bytes.empty()) {
      const auto size =
          static_cast<int>(std::min<std::size_t>(bytes.size(), std::numeric_limits<int>::max()));
      const int status = ::SSL_write(ssl_.get(), bytes.data(), size);
      if (status > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(status));
      } else if (!wait_again(status, deadline)) {
        const bool late = SteadyClock::now() >= deadline;
        return fail(ErrorCode::kUnavailable,
                    describe(peer_) + (late ? " took nothing for too long" : ": " + reason()));
      }
    }
    return {};
  }

  Result<std::size_t> receive(char* into, std::size_t size, milliseconds timeout) override {
    const auto deadline = SteadyClock::now() + timeout;
    for (;;) {
      const int status = ::SSL_read(ssl_.get(), into, static_cast<int>(size));
      if (status > 0) return static_cast<std::size_t>(status);
      const int error = ::SSL_get_error(ssl_.get(), status);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        if (timeout.count() == 0 || !wait_again(status, deadline)) return 0U;
        continue;
      }
      closed_ = error == SSL_ERROR_ZERO_RETURN;
      // A refused client certificate, for one, is told here: TLS 1.3 shakes hands without it.
      return fail(ErrorCode::kUnavailable,
                  describe(peer_) + " ended the connection" + (closed_ ? "" : ": " + reason()));
    }
  }

  [[nodiscard]] std::uint64_t bytes_sent() const override {
    return ::BIO_number_written(::SSL_get_wbio(ssl_.get()));
  }
  [[nodiscard]] int fd() const override { return socket_.get(); }
  [[nodiscard]] bool ended_in_peace() override {
    return closed_ || (::SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  }

 private:
  static int on_ticket(SSL* ssl, SSL_SESSION*) {
    static_cast<TlsStream*>(::SSL_get_ex_data(ssl, 0))->ticket_ = true;
    return 0;
  }

  // A peer that sends no tickets costs this wait at every connection.
  Result<void> wait_for_ticket(SteadyClock::time_point deadline) {
    char byte = 0;
    while (!ticket_) {
      const int status = ::SSL_peek(ssl_.get(), &byte, 1);
      if (status > 0 || ticket_) break;
      const int error = ::SSL_get_error(ssl_.get(), status);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return fail(ErrorCode::kUnavailable,
                    describe(peer_) + " refused the connection: " + reason());
      if (!wait_again(status, deadline)) break;
    }
    return {};
  }

  // Waits for what OpenSSL needs; false when it needs nothing (an error) or the time is over.
  bool wait_again(int status, SteadyClock::time_point deadline) {
    const int error = ::SSL_get_error(ssl_.get(), status);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
    const auto left = std::chrono::ceil<milliseconds>(deadline - SteadyClock::now());
    return left.count() > 0 &&
           wait_for(socket_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, left);
  }

  UniqueFd socket_;
  Peer peer_;
  Context context_;
  Ssl ssl_;
  bool shaken_ = false, closed_ = false, ticket_ = false;
};

}  // namespace

Result<std::unique_ptr<Stream>> start_tls(UniqueFd socket, const Peer& peer, const TlsConfig& tls,
                                          milliseconds timeout) {
  ::ERR_clear_error();
  auto context = make_context(tls);
  if (!context) return pass_error(context);
  auto stream = std::make_unique<TlsStream>(std::move(socket), peer, std::move(*context));
  if (auto shaken = stream->handshake(tls, timeout); !shaken) return pass_error(shaken);
  return stream;
}

}  // namespace lilith::shipper
