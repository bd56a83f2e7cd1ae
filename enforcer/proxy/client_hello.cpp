#include "enforcer/proxy/client_hello.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <algorithm>
#include <cstddef>

namespace lilith::enforcer::proxy {
namespace {

constexpr unsigned kHandshake = 22, kClientHello = 1;
constexpr unsigned kServerName = 0, kEncryptedClientHello = 0xFE0D;
constexpr std::size_t kRecordHeader = 5, kMessageHeader = 4, kVersionAndRandom = 34;
constexpr std::size_t kRecordBytesMax = 16384;  // RFC 8446 section 5.1

// Big-endian fields; reading beyond the end makes it bad for good.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool bad() const { return bad_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::size_t number(std::size_t bytes) {
    std::size_t value = 0;
    for (const char c : raw(bytes)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view raw(std::size_t bytes) {
    if (bytes > rest_.size()) {
      bad_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view out = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return out;
  }
  // A vector with its length in front.
  std::string_view vector(std::size_t length_bytes) { return raw(number(length_bytes)); }

 private:
  std::string_view rest_;
  bool bad_ = false;
};

// The one host_name of the list; false when that is not what it is.
bool read_server_name(std::string_view extension, std::string& out) {
  Fields outer(extension);
  Fields list(outer.vector(2));
  if (outer.bad() || !outer.empty()) return false;
  const bool host_name = list.number(1) == 0;
  const std::string_view name = list.vector(2);
  if (list.bad() || !list.empty() || !host_name || name.empty()) return false;
  const bool plain =
      std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  out = ascii_lower(name);
  return plain;
}

bool read_hello(std::string_view body, ClientHello& hello) {
  Fields fields(body);
  fields.raw(kVersionAndRandom);
  fields.vector(1);  // session id
  fields.vector(2);  // cipher suites
  fields.vector(1);  // compression methods
  if (fields.bad()) return false;
  if (fields.empty()) return true;  // no extensions
  Fields extensions(fields.vector(2));
  if (fields.bad() || !fields.empty()) return false;
  bool named = false;
  while (!extensions.empty()) {
    const std::size_t type = extensions.number(2);
    const std::string_view data = extensions.vector(2);
    if (extensions.bad()) return false;
    if (type == kServerName) {
      if (named || !read_server_name(data, hello.server_name)) return false;
      named = true;
    }
    if (type == kEncryptedClientHello) hello.encrypted = true;
  }
  return true;
}

}  // namespace

HelloPeek peek_client_hello(std::string_view bytes) {
  const HelloPeek not_tls{HelloState::kNotTls, {}}, incomplete{HelloState::kIncomplete, {}};
  // The hello may be cut into several records.
  std::string message;
  std::size_t wanted = 0;
  while (true) {
    if (!bytes.empty() && static_cast<unsigned char>(bytes[0]) != kHandshake) return not_tls;
    if (bytes.size() > 1 && bytes[1] != 3) return not_tls;
    if (bytes.size() < kRecordHeader) return incomplete;
    Fields header(bytes);
    header.raw(3);
    const std::size_t length = header.number(2);
    if (length == 0 || length > kRecordBytesMax) return not_tls;
    const std::string_view content = bytes.substr(kRecordHeader, length);
    message += content;
    if (message.size() > limits::kProxyHelloBytesMax) return not_tls;
    if (!message.empty() && static_cast<unsigned char>(message[0]) != kClientHello) return not_tls;
    if (message.size() >= kMessageHeader) {
      Fields prefix(message);
      prefix.raw(1);
      wanted = kMessageHeader + prefix.number(3);
      if (wanted > limits::kProxyHelloBytesMax) return not_tls;
      if (message.size() >= wanted) break;
    }
    if (content.size() < length) return incomplete;
    bytes.remove_prefix(kRecordHeader + length);
  }
  HelloPeek peek{HelloState::kWhole, {}};
  const std::string_view body =
      std::string_view(message).substr(kMessageHeader, wanted - kMessageHeader);
  return read_hello(body, peek.hello) ? peek : not_tls;
}

}  // namespace lilith::enforcer::proxy
