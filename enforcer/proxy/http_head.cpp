#include "enforcer/proxy/http_head.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lilith::enforcer::proxy {
namespace {

constexpr int kChunkDigitsMax = 15;
constexpr int kPortMax = 65535;

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kLetters =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return !text.empty() && text.find_first_not_of(kLetters) == std::string_view::npos;
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

constexpr std::string_view kBlanks = " \t";

std::unexpected<BadRequest> bad(std::string why, int status = 400) {
  return std::unexpected(BadRequest{status, std::move(why)});
}

template <class Number>
bool whole_number(std::string_view text, Number& out) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

// host:port, where an IPv6 address has its brackets.
std::optional<BadRequest> read_authority(std::string_view text, RequestHead& head) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !whole_number(text.substr(colon + 1), head.port) ||
      head.port < 1 || head.port > kPortMax) {
    return BadRequest{400, "the target of CONNECT is no host:port"};
  }
  const std::string_view name = text.substr(0, colon);
  if (name.find(':') != std::string_view::npos && !name.starts_with('[')) {
    return BadRequest{400, "an IPv6 address wants brackets"};
  }
  auto host = rules::canonical_host(name);
  if (!host) return BadRequest{400, host.error().message};
  head.host = std::move(*host);
  return std::nullopt;
}

std::optional<BadRequest> read_absolute(std::string_view text, RequestHead& head) {
  if (text.starts_with('/') || text == "*") {
    return BadRequest{400,
                      "this is a forward proxy: it takes CONNECT host:port and http://host/path"};
  }
  auto destination = rules::parse_url(text);
  if (!destination) return BadRequest{400, destination.error().message};
  if (destination->protocol != "http") {
    return BadRequest{400, "only http:// is fetched; other protocols go through CONNECT"};
  }
  head.host = std::move(destination->host);
  head.port = destination->port;
  head.url = destination->url.substr(0, destination->url.find('#'));
  const std::size_t path = head.url.find('/', std::string_view("http://").size());
  head.target = path == std::string::npos ? "/" : head.url.substr(path);
  return std::nullopt;
}

std::optional<BadRequest> read_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return BadRequest{400, "the request line is no request line"};
  }
  head.method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(head.method)) return BadRequest{400, "the method is no method"};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return BadRequest{505, "the version is neither HTTP/1.1 nor HTTP/1.0"};
  }
  head.is_connect = head.method == "CONNECT";
  return head.is_connect ? read_authority(target, head) : read_absolute(target, head);
}

std::optional<BadRequest> read_header(std::string_view line, RequestHead& head) {
  const std::size_t colon = line.find(':');
  // A blank before the colon, or a folded line, is how requests are smuggled.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return BadRequest{400, "a header line has no proper name"};
  }
  const std::string_view value = trimmed(line.substr(colon + 1), kBlanks);
  if (!is_field_value(value)) return BadRequest{400, "a header has a control character"};
  head.headers.emplace_back(ascii_lower(line.substr(0, colon)), value);
  return std::nullopt;
}

std::optional<BadRequest> settle_body(RequestHead& head) {
  bool has_length = false, has_coding = false;
  int hosts = 0;
  for (const auto& [name, value] : head.headers) {
    if (name == "host") ++hosts;
    if (name == "content-length") {
      if (has_length || !whole_number(std::string_view(value), head.body_bytes)) {
        return BadRequest{400, "Content-Length stands twice or is no number"};
      }
      has_length = true;
      head.body = BodyKind::kLength;
    }
    if (name == "transfer-encoding") {
      if (has_coding || ascii_lower(value) != "chunked") {
        return BadRequest{501, "the only transfer coding is chunked, once"};
      }
      has_coding = true;
      head.body = BodyKind::kChunked;
    }
  }
  if (has_length && has_coding) {
    return BadRequest{400, "the request has both Content-Length and Transfer-Encoding"};
  }
  if (hosts > 1) return BadRequest{400, "Host stands twice"};
  if (head.is_connect && (has_coding || head.body_bytes != 0)) {
    return BadRequest{400, "CONNECT has no body"};
  }
  return std::nullopt;
}

bool is_hop_by_hop(std::string_view name) {
  // RFC 9110 section 7.6.1, and Host, which is written anew. Transfer-Encoding frames the body.
  constexpr std::array<std::string_view, 9> kNames{
      "connection", "proxy-connection", "keep-alive", "proxy-authorization", "proxy-authenticate",
      "te",         "upgrade",          "host",       "http2-settings"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

std::expected<std::optional<RequestHead>, BadRequest> read_head(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  const std::size_t head_bytes = end == std::string_view::npos ? bytes.size() : end + 4;
  if (head_bytes > limits::kProxyHeadBytesMax) {
    return bad("the head is longer than " + std::to_string(limits::kProxyHeadBytesMax) + " bytes",
               431);
  }
  // What can't become a request is told before it is whole: TLS to a proxy's port, for one.
  if (!bytes.empty() && !is_token(bytes.substr(0, 1))) return bad("this is no HTTP request");
  if (end == std::string_view::npos) return std::nullopt;
  RequestHead head;
  head.head_bytes = head_bytes;
  std::string_view rest = bytes.substr(0, end + 2);
  for (bool first = true; !rest.empty(); first = false) {
    const std::size_t line_end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, line_end);
    rest.remove_prefix(line_end + 2);
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) {
      return bad("a line end is not CR LF");
    }
    auto fault = first ? read_request_line(line, head) : read_header(line, head);
    if (fault) return std::unexpected(std::move(*fault));
  }
  if (auto fault = settle_body(head)) return std::unexpected(std::move(*fault));
  return head;
}

std::string forwarded_head(const RequestHead& head) {
  std::vector<std::string> named;  // by Connection
  for (const auto& [name, value] : head.headers) {
    if (name != "connection") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      named.push_back(ascii_lower(trimmed(rest.substr(0, comma), kBlanks)));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  const bool bracket = head.host.is_address && head.host.text.find(':') != std::string::npos;
  std::string out = head.method + " " + head.target + " HTTP/1.1\r\nHost: ";
  out += bracket ? "[" + head.host.text + "]" : head.host.text;
  if (head.port != rules::default_port("http")) out += ":" + std::to_string(head.port);
  out += "\r\n";
  for (const auto& [name, value] : head.headers) {
    const bool frames = name == "content-length" || name == "transfer-encoding";
    if (is_hop_by_hop(name)) continue;
    if (!frames && std::find(named.begin(), named.end(), name) != named.end()) continue;
    out += name + ": " + value + "\r\n";
  }
  return out + "Via: 1.1 lilith\r\nConnection: close\r\n\r\n";
}

bool BodyFollower::done() const {
  return kind_ == BodyKind::kChunked ? chunk_ == Chunk::kEnd : left_ == 0;
}

// RFC 9112 section 7.1; false when that is no chunk.
bool BodyFollower::chunk_byte(char c) {
  const auto line_goes_on = [this] { return ++line_bytes_ <= limits::kProxyHeadBytesMax; };
  switch (chunk_) {
    case Chunk::kSize: {
      const auto digit = std::string_view("0123456789abcdefABCDEF").find(c);
      if (digit != std::string_view::npos) {
        left_ = left_ * 16 + (digit < 16 ? digit : digit - 6);
        return ++digits_ <= kChunkDigitsMax;
      }
      if (digits_ == 0) return false;
      chunk_ = c == '\r' ? Chunk::kSizeLf : Chunk::kExtension;
      return c == '\r' || c == ';';
    }
    case Chunk::kExtension:
      if (c == '\r') chunk_ = Chunk::kSizeLf;
      return c != '\n' && line_goes_on();
    case Chunk::kSizeLf:
      chunk_ = left_ == 0 ? Chunk::kTrailer : Chunk::kData;
      digits_ = 0;
      line_bytes_ = 0;
      return c == '\n';
    case Chunk::kData:
      return true;
    case Chunk::kDataCr:
      chunk_ = Chunk::kDataLf;
      return c == '\r';
    case Chunk::kDataLf:
      chunk_ = Chunk::kSize;
      return c == '\n';
    case Chunk::kTrailer:
      if (c == '\r') {
        chunk_ = Chunk::kTrailerLf;
        return true;
      }
      ++digits_;  // of this line
      return c != '\n' && line_goes_on();
    case Chunk::kTrailerLf:
      chunk_ = digits_ == 0 ? Chunk::kEnd : Chunk::kTrailer;
      digits_ = 0;
      return c == '\n';
    case Chunk::kEnd:
      break;
  }
  return false;
}

std::optional<std::size_t> BodyFollower::take(std::string_view bytes) {
  if (kind_ == BodyKind::kNone) return 0;
  if (kind_ == BodyKind::kLength) {
    const auto mine = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    left_ -= mine;
    return mine;
  }
  std::size_t at = 0;
  while (at < bytes.size() && chunk_ != Chunk::kEnd) {
    if (chunk_ == Chunk::kData) {
      const auto mine = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
      left_ -= mine;
      at += mine;
      if (left_ == 0) chunk_ = Chunk::kDataCr;
      continue;
    }
    if (!chunk_byte(bytes[at])) return std::nullopt;
    ++at;
  }
  return at;
}

}  // namespace lilith::enforcer::proxy
