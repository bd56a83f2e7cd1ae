#include "rules/shell/network.hpp"

#include "audit/base/text.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace lilith::rules::shell {
namespace {

struct Scheme {
  std::string_view name;
  int port;
};
// IANA service names and port numbers.
constexpr std::array kSchemes{Scheme{"https", 443}, Scheme{"http", 80},    Scheme{"ssh", 22},
                              Scheme{"git", 9418},  Scheme{"ftp", 21},     Scheme{"ftps", 990},
                              Scheme{"sftp", 22},   Scheme{"rsync", 873},  Scheme{"gopher", 70},
                              Scheme{"telnet", 23}, Scheme{"scp", 22},     Scheme{"dict", 2628},
                              Scheme{"ldap", 389},  Scheme{"socks5", 1080}};

bool is_one_of(std::string_view list, std::string_view word) {
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(' ', at), list.size());
    if (list.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() < 6 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "host", "host:port/path": what curl takes for http://.
bool looks_like_host(std::string_view text) {
  const std::string_view host = text.substr(0, text.find_first_of(":/?#"));
  const bool plain = host.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789.-_") == std::string_view::npos;
  return !host.empty() && plain && host.front() != '-' && host.front() != '.' &&
         (host.find('.') != std::string_view::npos || host == "localhost");
}

class Network {
 public:
  Network(const std::vector<Argument>& argv, std::size_t offset) : argv_(argv), offset_(offset) {}

  std::vector<HostUse> found;

  void run(std::string_view name) {
    if (name == "curl" || name == "wget") return transfer(name == "curl");
    if (name == "git") return git();
    if (name == "rsync" || name == "scp" || name == "sftp") return remote_copy();
    if (is_one_of("pip pip3 uv poetry npm pnpm yarn bun npx cargo", name)) return packages();
  }

 private:
  void add(std::string host, int port, std::string protocol, std::string url) {
    found.push_back({std::move(host), port, std::move(protocol), std::move(url), offset_});
  }

  // Whether the text was a URL with a known scheme.
  bool url(std::string_view text) {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos) return false;
    std::string protocol = ascii_lower(text.substr(0, scheme));
    if (const std::size_t plus = protocol.find('+'); plus != std::string::npos) {
      protocol.erase(0, plus + 1);  // git+https
    }
    const auto* const row = std::find_if(kSchemes.begin(), kSchemes.end(),
                                         [&](const Scheme& one) { return one.name == protocol; });
    if (row == kSchemes.end()) return false;
    std::string authority(text.substr(scheme + 3));
    authority = authority.substr(0, authority.find_first_of("/?#"));
    if (authority.find('$') != std::string::npos || authority.find('`') != std::string::npos) {
      return false;
    }
    if (const std::size_t user = authority.rfind('@'); user != std::string::npos) {
      authority.erase(0, user + 1);
    }
    int port = row->port;
    const std::size_t colon = authority.rfind(':');
    if (colon != std::string::npos && is_port(std::string_view(authority).substr(colon + 1)) &&
        authority.find(']', colon) == std::string::npos) {
      port = std::stoi(authority.substr(colon + 1));
      authority.erase(colon);
    }
    add(std::move(authority), port, std::move(protocol), std::string(text));
    return true;
  }

  void transfer(bool curl) {
    const std::string_view value = curl ? "AbcCdDeEFHKmoPQrtTuUwxXyYz" : "oaeiBtOTwQPUlARDIX";
    constexpr std::string_view kLongValue =
        "abstract-unix-socket cacert capath cert cert-type ciphers config connect-timeout cookie"
        " cookie-jar crlfile curves data data-ascii data-binary data-raw data-urlencode delegation"
        " dump-header engine etag-compare etag-save form form-string header interface json key"
        " key-type limit-rate max-filesize max-redirs max-time netrc-file noproxy output output-dir"
        " pass pinnedpubkey proto proto-default quote range rate referer request request-target"
        " retry retry-delay retry-max-time speed-limit speed-time stderr tls-max tlsuser "
        "tlspassword"
        " trace trace-ascii unix-socket upload-file url-query user user-agent write-out"
        " user-agent tries timeout output-document directory-prefix output-file append-output"
        " post-data post-file method body-data body-file wait level accept reject ca-certificate";
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word.starts_with("--")) {
        const std::size_t equals = word.find('=');
        const std::string_view option = std::string_view(word).substr(2, equals - 2);
        const std::string given = equals != std::string::npos ? word.substr(equals + 1)
                                  : i + 1 < argv_.size()      ? argv_[i + 1].text
                                                              : "";
        if (is_one_of("proxy preproxy socks4 socks4a socks5 socks5-hostname proxy1.0 doh-url url",
                      option)) {
          operand(given);
          if (equals == std::string::npos) ++i;
        } else if (equals == std::string::npos && is_one_of(kLongValue, option)) {
          ++i;
        }
        continue;
      }
      if (word.size() > 1 && word[0] == '-') {
        const std::size_t at = word.find_first_of(value, 1);
        if (at == std::string::npos) continue;
        const bool glued = at + 1 < word.size();
        if (curl && word[at] == 'x') {
          operand(glued ? word.substr(at + 1) : i + 1 < argv_.size() ? argv_[i + 1].text : "");
        }
        if (!glued) ++i;
        continue;
      }
      operand(word);
    }
  }

  // A URL, or a host as curl and wget take it.
  void operand(const std::string& word) {
    if (url(word)) return;
    const std::size_t path = word.find_first_of("/?#");
    const std::string authority = word.substr(0, path);
    if (word.find("://") != std::string::npos || !looks_like_host(word) ||
        authority.find('$') != std::string::npos) {
      return;
    }
    url("http://" + word);
  }

  // host:path, user@host:path of ssh.
  void scp_like(const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || colon == 0 || text.find('/') < colon) return;
    std::string host = text.substr(0, colon);
    const std::size_t at = host.rfind('@');
    if (at != std::string::npos) host.erase(0, at + 1);
    if (at == std::string::npos && !looks_like_host(host)) return;
    if (host.find('$') == std::string::npos) add(std::move(host), 22, "ssh", "");
  }

  void remote_copy() {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word.starts_with('-')) continue;
      if (!url(word)) scp_like(word);
    }
  }

  void packages() {
    const auto fetches = [](const Argument& one) {
      return is_one_of("install i add ci publish update upgrade download wheel dlx sync", one.text);
    };
    const auto first = argv_.begin() + 1;
    const bool operands =
        std::any_of(first, first + std::min<std::ptrdiff_t>(3, argv_.end() - first), fetches);
    for (std::size_t i = 1; i < argv_.size() && argv_[i].text != "--"; ++i) {
      const std::string& word = argv_[i].text;
      const bool value = argv_[i - 1].text.starts_with('-');
      if (!word.starts_with('-') && !operands && !value) continue;
      if (word == "-m" || word == "--message") {
        ++i;
        continue;
      }
      const std::size_t at = word.starts_with('-') ? word.find('=') + 1 : word.find(" @ ");
      if (word.starts_with('-') && at == 0) continue;
      url(word.starts_with('-') ? std::string_view(word).substr(at) : std::string_view(word));
    }
  }

  void git() {
    std::size_t sub = 1;
    while (sub < argv_.size() && argv_[sub].text.starts_with('-')) {
      sub += argv_[sub].text == "-C" || argv_[sub].text == "-c" ? 2U : 1U;
    }
    if (sub >= argv_.size()) return;
    if (!is_one_of("clone fetch pull push ls-remote remote submodule archive", argv_[sub].text)) {
      return;
    }
    // `git push origin HEAD:main` has a colon and names no host: only a dot or a user says so.
    const bool refs =
        argv_[sub].text == "fetch" || argv_[sub].text == "pull" || argv_[sub].text == "push";
    std::size_t operands = 0;
    for (std::size_t i = sub + 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word.starts_with("--remote=")) {
        const std::string value = word.substr(word.find('=') + 1);
        if (!url(value)) scp_like(value);
      }
      if (word.starts_with('-')) continue;
      ++operands;
      if (url(word)) continue;
      const bool user = word.find('@') < word.find(':');
      if (user || !refs || operands == 1) scp_like(word);
    }
  }

  const std::vector<Argument>& argv_;
  std::size_t offset_;
};

}  // namespace

std::vector<HostUse> dialled_hosts(const std::vector<Argument>& argv, std::size_t offset) {
  std::string_view name = argv[0].text;
  name.remove_prefix(name.rfind('/') + 1);
  Network network(argv, offset);
  network.run(name);
  return std::move(network.found);
}

}  // namespace lilith::rules::shell
