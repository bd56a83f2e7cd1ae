#pragma once
// The head of one request to a forward proxy: CONNECT and absolute-form (RFC 9112 sections 3.2.2
// and 3.2.3), read strictly. What two readers could read differently is refused.

#include "rules/host.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::enforcer::proxy {

struct BadRequest {
  int status = 400;  // of HTTP
  std::string why;
};

enum class BodyKind { kNone, kLength, kChunked };

struct RequestHead {
  bool is_connect = false;
  std::string method;
  rules::CanonicalHost host;
  int port = 0;
  // Absolute-form only:
  std::string url;     // as the URL Standard serialises it, without fragment
  std::string target;  // path and query of it
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  BodyKind body = BodyKind::kNone;
  std::uint64_t body_bytes = 0;  // kLength
  std::size_t head_bytes = 0;    // including the empty line
};

// nullopt: the head is not whole yet. A head over limits::kProxyHeadBytesMax is refused.
[[nodiscard]] std::expected<std::optional<RequestHead>, BadRequest> read_head(
    std::string_view bytes);

// The head for the server of an absolute-form request: origin-form, Host of what was decided, no
// hop-by-hop members, one request on the connection.
[[nodiscard]] std::string forwarded_head(const RequestHead& head);

// Follows the framing of one request's body, so that nothing behind it is passed on as part of it.
class BodyFollower {
 public:
  BodyFollower() = default;
  explicit BodyFollower(const RequestHead& head)
      : kind_(head.body), left_(head.body == BodyKind::kLength ? head.body_bytes : 0) {}
  // How many of `bytes` belong to the body; nullopt when its framing is wrong.
  [[nodiscard]] std::optional<std::size_t> take(std::string_view bytes);
  [[nodiscard]] bool done() const;

 private:
  [[nodiscard]] bool chunk_byte(char c);
  enum class Chunk {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kTrailerLf,
    kEnd
  };
  BodyKind kind_ = BodyKind::kNone;
  std::uint64_t left_ = 0;
  Chunk chunk_ = Chunk::kSize;
  int digits_ = 0;
  std::size_t line_bytes_ = 0;
};

}  // namespace lilith::enforcer::proxy
