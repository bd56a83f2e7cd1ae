#include "rules/shell/network.hpp"

#include "audit/base/text.hpp"
#include "rules/shell/option_forms.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace lilith::rules::shell {
namespace {

struct Scheme {
  std::string_view name;
  int port;
};
// IANA service names and port numbers.
constexpr std::array kSchemes{
    Scheme{"https", 443},    Scheme{"http", 80},       Scheme{"ssh", 22},
    Scheme{"git", 9418},     Scheme{"ftp", 21},        Scheme{"ftps", 990},
    Scheme{"sftp", 22},      Scheme{"rsync", 873},     Scheme{"gopher", 70},
    Scheme{"telnet", 23},    Scheme{"scp", 22},        Scheme{"dict", 2628},
    Scheme{"ldap", 389},     Scheme{"ldaps", 636},     Scheme{"imap", 143},
    Scheme{"imaps", 993},    Scheme{"pop3", 110},      Scheme{"pop3s", 995},
    Scheme{"smtp", 25},      Scheme{"smtps", 465},     Scheme{"smb", 445},
    Scheme{"smbs", 445},     Scheme{"tftp", 69},       Scheme{"rtsp", 554},
    Scheme{"ws", 80},        Scheme{"wss", 443},       Scheme{"mqtt", 1883},
    Scheme{"rtmp", 1935},    Scheme{"gophers", 70},    Scheme{"svn", 3690},
    Scheme{"socks4", 1080},  Scheme{"socks4a", 1080},  Scheme{"socks5", 1080},
    Scheme{"socks5h", 1080}, Scheme{"postgres", 5432}, Scheme{"postgresql", 5432},
    Scheme{"oci", 443},      Scheme{"mysql", 3306},    Scheme{"redis", 6379},
    Scheme{"rediss", 6379},  Scheme{"mongodb", 27017}, Scheme{"mongodb+srv", 27017},
    Scheme{"hkp", 11371},    Scheme{"hkps", 443},      Scheme{"tcp", 443},
    Scheme{"udp", 443},      Scheme{"rtmps", 443},     Scheme{"srt", 443}};

bool is_port(std::string_view text) {
  return !text.empty() && text.size() < 6 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Long options with a value in the next word: curl(1) and wget(1).
constexpr std::string_view kTransferValues =
    "abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config"
    " connect-timeout connect-to continue-at cookie cookie-jar create-file-mode crlfile curves data"
    " data-ascii data-binary data-raw data-urlencode delegation dns-interface dns-ipv4-addr"
    " dns-ipv6-addr dns-servers dump-header ech egd-file engine etag-compare etag-save"
    " expect100-timeout form form-string ftp-account ftp-alternative-to-user ftp-method ftp-port"
    " ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header help hostpubmd5"
    " hostpubsha256 hsts interface ip-tos json keepalive-cnt keepalive-time key"
    " key-type knownhosts krb libcurl limit-rate local-port login-options mail-auth mail-from"
    " mail-rcpt max-filesize max-redirs max-time netrc-file noproxy oauth2-bearer output output-dir"
    " parallel-max parallel-max-host pass pinnedpubkey proto proto-default proto-redir proxy-cacert"
    " proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header proxy-key"
    " proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers"
    " proxy-tlsauthtype proxy-tlspassword proxy-tlsuser proxy-user pubkey quote random-file range"
    " rate referer request request-target resolve retry retry-delay retry-max-time sasl-authzid"
    " service-name sigalgs socks5-gssapi-service speed-limit speed-time stderr telnet-option"
    " tftp-blksize time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace"
    " trace-ascii trace-config unix-socket upload-file upload-flags url-query user user-agent"
    " variable vlan-priority write-out"
    " execute output-file append-output report-speed input-file base rejected-log tries"
    " retry-on-http-error output-document start-pos progress timeout dns-timeout read-timeout wait"
    " waitretry quota bind-address restrict-file-names prefer-family password use-askpass"
    " local-encoding remote-encoding directory-prefix cut-dirs http-user http-password default-page"
    " compression proxy-password load-cookies save-cookies post-data post-file method body-data"
    " body-file secure-protocol certificate certificate-type private-key private-key-type"
    " ca-certificate ca-directory crl-file ftp-user ftp-password warc-file warc-header"
    " warc-max-size warc-dedup warc-tempdir level backups accept reject accept-regex reject-regex"
    " regex-type domains exclude-domains follow-tags ignore-tags include-directories"
    " exclude-directories";
// The same of git's commands that name a remote: git-clone(1), git-fetch(1), git-push(1), ...
constexpr std::string_view kGitValues =
    "origin branch upload-pack template reference reference-if-able depth shallow-since"
    " shallow-exclude config jobs filter server-option separate-git-dir"
    " recurse-submodules-default refmap negotiation-tip deepen strategy strategy-option"
    " push-option receive-pack exec sort name output prefix format revision";
// Options of rsync and scp whose value may have a colon.
constexpr std::string_view kCopyValues =
    "exclude include exclude-from include-from filter files-from chown usermap groupmap rsh"
    " out-format log-file-format log-file temp-dir backup-dir compare-dest copy-dest link-dest"
    " password-file port bwlimit timeout info debug chmod suffix";

bool is_loopback(std::string_view host) { return is_one_of<"localhost 127.0.0.1 ::1 [::1]">(host); }

class Network {
 public:
  Network(const std::vector<Argument>& argv, std::size_t offset) : argv_(argv), offset_(offset) {}

  std::vector<HostUse> found;

  void run(std::string_view name) {
    if (name == "git") return git();
    if (!is_one_of<
            "curl wget rsync scp sftp kubectl helm dotnet composer gem aws az gcloud conda mamba"
            " micromamba psql mysql redis-cli openssl docker podman gh mvn mvnw terraform tofu buf"
            " pre-commit bundle go tar gtar ssh socat ping ping6 dig nslookup host traceroute"
            " tracepath mtr nmap whois ssh-keyscan telnet nc ncat netcat ftp lynx w3m links http "
            "https"
            " xh aria2c mount smbclient pip pip3 uv uvx poetry npm pnpm yarn bun bunx npx deno"
            " cargo pg_dump pg_dumpall pg_restore pg_isready createdb dropdb kind"
            " pandoc convert magick identify mogrify ffmpeg ffprobe ffplay xmllint xsltproc gpg "
            "mongosh"
            " mongo pipenv dart flutter zig mix stack nix nix-shell nix-build asdf mise vagrant"
            " skaffold xdg-open">(name)) {
      return;
    }
    if (is_one_of<
            "pandoc convert magick identify mogrify ffmpeg ffprobe ffplay xmllint xsltproc gpg "
            "mongosh"
            " mongo pipenv dart flutter zig mix stack nix nix-shell nix-build asdf mise vagrant"
            " skaffold xdg-open">(name)) {
      return every_url();
    }
    if (is_one_of<"pg_dump pg_dumpall pg_restore pg_isready createdb dropdb">(name)) {
      return database("psql");
    }
    if (name == "kind") return node_image();
    if (name == "curl" || name == "wget") return transfer(name == "curl");
    if (name == "rsync" || name == "scp" || name == "sftp") return remote_copy(name == "rsync");
    if (is_one_of<"kubectl helm dotnet composer gem aws az gcloud conda mamba micromamba">(name)) {
      return every_url();
    }
    if (is_one_of<"psql mysql redis-cli">(name)) return database(name);
    if (name == "openssl") return openssl();
    if (name == "docker" || name == "podman") return images();
    if (name == "gh") return gh();
    if (name == "mvn" || name == "mvnw") return maven();
    if (name == "terraform" || name == "tofu") return modules();
    if ((name == "buf" && argv_.size() > 1) ||
        (name == "pre-commit" && argv_.size() > 1 && argv_[1].text == "try-repo") ||
        (name == "bundle" && argv_.size() > 1 &&
         is_one_of<"config add plugin install">(argv_[1].text)) ||
        (name == "go" && argv_.size() > 1 && argv_[1].text == "tool")) {
      return every_url();
    }
    if (name == "tar" || name == "gtar") return tar();
    if (name == "ssh") return session();
    if (name == "socat") return socat();
    if (is_one_of<
            "ping ping6 dig nslookup host traceroute tracepath mtr nmap whois ssh-keyscan telnet"
            " nc ncat netcat ftp lynx w3m links http https xh aria2c mount smbclient">(name)) {
      return hosts(name);
    }
    if (is_one_of<"pip pip3 uv uvx poetry npm pnpm yarn bun bunx npx deno cargo">(name)) {
      return packages(is_one_of<"npx uvx bunx">(name));
    }
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
    // Programs disagree about what a backslash ends; no host has one.
    const bool ambiguous = authority.find('\\') != std::string::npos;
    if (const std::size_t user = authority.rfind('@'); user != std::string::npos && !ambiguous) {
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
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word.starts_with("--")) {
        const std::size_t equals = word.find('=');
        const std::string_view option = std::string_view(word).substr(2, equals - 2);
        const std::string given = equals != std::string::npos ? word.substr(equals + 1)
                                  : i + 1 < argv_.size()      ? argv_[i + 1].text
                                                              : "";
        if (is_one_of<"proxy preproxy socks4 socks4a socks5 socks5-hostname proxy1.0 doh-url url "
                      "ipfs-gateway">(option)) {
          operand(given);
          if (equals == std::string::npos) ++i;
        } else if (curl && option == "dns-servers") {
          for (std::size_t from = 0; from < given.size();) {
            const std::size_t comma = std::min(given.find(',', from), given.size());
            authority(given.substr(from, comma - from), 53, "dns");
            from = comma + 1;
          }
          if (equals == std::string::npos) ++i;
        } else if (equals == std::string::npos && is_one_of<kTransferValues>(option)) {
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
      if (word != "-") operand(word);
    }
  }

  // A URL, or a host as curl and wget take it: whatever they are given is one.
  void operand(const std::string& word) {
    if (url(word) || word.find("://") != std::string::npos) return;
    // `http:/host` is http://host (curl, urlapi.c).
    const std::size_t colon = word.find(":/");
    if (colon != std::string::npos && url(word.substr(0, colon) + "://" + word.substr(colon + 2))) {
      return;
    }
    const std::size_t from = word.find_first_not_of('/');
    if (from == std::string::npos) return;
    const std::string rest = word.substr(from);
    const std::string authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.empty() || authority.find_first_of("$`") != std::string::npos) return;
    if (!ascii_lower(authority).starts_with("file:")) url("http://" + rest);
  }

  // host:path, user@host:path, [host]:path, [host:port]:path of ssh. Without a slash before the
  // colon it is a remote for git, rsync, scp and tar, whatever the host looks like.
  void scp_like(const std::string& text) {
    std::size_t from = 0;
    if (const std::size_t at = text.find('@'); at < text.find_first_of(":/")) from = at + 1;
    std::string host;
    int port = 22;
    if (from < text.size() && text[from] == '[') {
      const std::size_t close = text.find(']', from);
      if (close == std::string::npos || close + 1 >= text.size() || text[close + 1] != ':') return;
      host = text.substr(from + 1, close - from - 1);
      const std::size_t colon = host.rfind(':');
      if (colon != std::string::npos && host.find(':') == colon &&
          is_port(host.substr(colon + 1))) {
        port = std::stoi(host.substr(colon + 1));
        host.erase(colon);
      }
    } else {
      const std::size_t colon = text.find(':', from);
      if (colon == std::string::npos || colon == from || text.find('/', from) < colon) return;
      host = text.substr(from, colon - from);
    }
    if (host.find_first_of("$`{") == std::string::npos) add(std::move(host), port, "ssh", "");
  }
  // A host that nothing but its name says anything about; this machine's own need no entry.
  void named(const std::string& text, int port, const std::string& protocol) {
    if (text.empty() || is_loopback(text) || text.find_first_of("$`/") != std::string::npos) return;
    if (const std::size_t user = text.rfind('@'); user != std::string::npos) {
      return named(text.substr(user + 1), port, protocol);
    }
    add(text, port, protocol, "");
  }

  // ssh [USER@]HOST, ssh://[USER@]HOST[:PORT] (ssh(1)).
  void session() {
    int port = 22;
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (!word.starts_with('-')) {
        if (!url(word)) named(word, port, "ssh");
        return;
      }
      const std::size_t value = word.find_first_of("BbcDEeFIiJLlmOopQRSWw", 1);
      if (value == std::string::npos) continue;
      const bool glued = value + 1 < word.size();
      const std::string given = glued                  ? word.substr(value + 1)
                                : i + 1 < argv_.size() ? argv_[i + 1].text
                                                       : "";
      if (word[value] == 'p' && is_port(given)) port = std::stoi(given);
      if (word[value] == 'J') named(given.substr(0, given.find(':')), 22, "ssh");
      if (!glued) ++i;
    }
  }

  // socat(1): TCP:HOST:PORT and its like.
  void socat() {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      const std::size_t colon = word.find(':');
      const std::string type = ascii_lower(word.substr(0, colon));
      if (colon == std::string::npos || type.find("listen") != std::string::npos ||
          type.find("unix") != std::string::npos || type.starts_with('-') ||
          is_one_of<"file open create gopen pipe exec system shell pty stdin stdout stdio fd">(
              type)) {
        continue;
      }
      const std::string rest = word.substr(colon + 1, word.find(',', colon) - colon - 1);
      const std::size_t port = rest.find(':');
      const std::string number = port == std::string::npos ? "" : rest.substr(port + 1);
      named(rest.substr(0, port), is_port(number) ? std::stoi(number) : 443, "tcp");
    }
  }

  // Programs whose operands are hosts: their manuals. What asks about a host, and says nothing to
  // it that has a port, is judged as https is.
  void hosts(std::string_view name) {
    const bool pages = is_one_of<"lynx w3m links http https xh aria2c">(name);
    const bool connects = is_one_of<"nc ncat netcat telnet ftp">(name);
    const std::string_view value = name == "ping" || name == "ping6" ? "cIiLlMmpQSstTWw"
                                   : name == "dig"                   ? "bcfkpqtxy"
                                   : name == "host"                  ? "cCNRtTWm"
                                   : name == "nmap"                  ? "peDgSTo"
                                   : name == "ssh-keyscan"           ? "fpTtO"
                                   : name == "traceroute"            ? "fgimNpqstwz"
                                   : name == "mount"                 ? "Oot"
                                   : connects                        ? "iIMmOpqsTVwWXx"
                                   : pages                           ? "adoipxju"
                                                                     : "";
    std::size_t operands = 0;
    const bool listens =
        connects && std::any_of(argv_.begin(), argv_.end(), [](const Argument& one) {
          return one.text.starts_with('-') && !one.text.starts_with("--") &&
                 one.text.find('l') != std::string::npos;
        });
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      std::string word = argv_[i].text;
      if (word.starts_with('-')) {
        // aria2c --all-proxy=URL, http --proxy=SCHEME:URL
        const std::size_t equals = word.find('=');
        if (equals != std::string::npos && word.find("proxy") < equals) {
          std::string proxy = word.substr(equals + 1);
          for (const std::string_view scheme : {"http:", "https:", "all:"}) {
            const bool twice = proxy.starts_with(scheme) && proxy.find("://") >= scheme.size() &&
                               proxy.find("://") != std::string::npos;
            if (twice) proxy.erase(0, scheme.size());
          }
          operand(proxy);
        }
        const bool server = name == "whois" && (word == "-h" || word == "--host");
        if (server && i + 1 < argv_.size()) named(argv_[i + 1].text, 443, "https");
        if (server || (word.size() > 1 && word.find_first_of(value, 1) == word.size() - 1)) ++i;
        continue;
      }
      ++operands;
      if (url(word)) {
        if (is_loopback(found.back().host)) found.pop_back();
        continue;
      }
      if (pages) {
        // httpie: METHOD URL ITEM...; what has no dot or colon is no host.
        const bool host = word.find_first_of(".:") < word.find_first_of("=@/");
        if (host && operands < 3 && !word.starts_with(':')) operand(word);
      } else if (name == "smbclient" || name == "mount") {
        const std::size_t colon = word.find(':');
        if (word.starts_with("//")) named(word.substr(2, word.find('/', 2) - 2), 445, "tcp");
        if (colon != std::string::npos && word.find('/') > colon)
          named(word.substr(0, colon), 2049, "tcp");
      } else if (connects) {
        const std::string port = i + 1 < argv_.size() ? argv_[i + 1].text : "";
        const int usual = name == "ftp" ? 21 : 23;
        if (operands == 1 && !listens) named(word, is_port(port) ? std::stoi(port) : usual, "tcp");
      } else if (name == "ssh-keyscan") {
        named(word, 22, "ssh");
      } else if (word.starts_with('@')) {
        named(word.substr(1), 53, "dns");
      } else if (word.find('.') != std::string::npos && !word.starts_with('+')) {
        named(word, 443, "https");
      }
    }
  }

  void remote(const std::string& text) {
    if (!url(text)) scp_like(text);
  }

  void remote_copy(bool rsync) {
    const std::string_view value = rsync ? "efTBM" : "cDFiJlPSoXBbRs";
    bool operand_seen = false;
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word.starts_with("--")) {
        // A list of names that the other side holds.
        if (word.starts_with("--files-from=")) scp_like(word.substr(word.find('=') + 1));
        if (word == "--files-from" && i + 1 < argv_.size()) scp_like(argv_[i + 1].text);
        if (is_one_of<kCopyValues>(std::string_view(word).substr(2))) ++i;
      } else if (word.starts_with('-') && word.size() > 1) {
        if (word.find_first_of(value, 1) == word.size() - 1) ++i;
      } else if (argv_[0].text == "sftp" && word.find(':') == std::string::npos) {
        if (!operand_seen) named(word, 22, "ssh");
        operand_seen = true;
      } else {
        remote(word);
      }
    }
  }

  // tar -f HOST:FILE goes through rsh or ssh unless --force-local is given (tar's manual).
  void tar() {
    const bool local = std::any_of(argv_.begin(), argv_.end(), [](const Argument& one) {
      return one.text.starts_with("--force-l");
    });
    for (std::size_t i = 1; !local && i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word.starts_with("--file=")) {
        scp_like(word.substr(word.find('=') + 1));
      } else if (word == "--file" && i + 1 < argv_.size()) {
        scp_like(argv_[i + 1].text);
      } else if (!word.starts_with("--") && (word.starts_with('-') || i == 1)) {
        const std::size_t f = word.find('f');
        if (f == std::string::npos) continue;
        if (word.starts_with('-') && f + 1 < word.size()) scp_like(word.substr(f + 1));
        // The values of an old-style bundle stand behind it in their order.
        const std::size_t end = std::min(argv_.size(), i + (word.starts_with('-') ? 2U : 4U));
        for (std::size_t at = i + 1; at < end; ++at) scp_like(argv_[at].text);
      }
    }
  }

  // URLs that are operands or values of options; what stands behind "--" belongs to another
  // program.
  // Programs that load or send what their words name: any URL among these, other than of this
  // machine.
  void every_url() {
    for (std::size_t i = 1; i < argv_.size() && argv_[i].text != "--"; ++i) {
      const std::string& word = argv_[i].text;
      const std::size_t equals = word.find('=');
      const bool named = equals != std::string::npos && equals < word.find("://");
      if (url(named ? std::string_view(word).substr(equals + 1) : std::string_view(word)) &&
          is_loopback(found.back().host)) {
        found.pop_back();
      }
    }
  }
  // kind create cluster --image IMAGE
  void node_image() {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word.starts_with("--image=")) image(word.substr(word.find('=') + 1));
      if (word == "--image" && i + 1 < argv_.size()) image(argv_[i + 1].text);
    }
  }

  // -h HOST, --host=HOST, a URL, or `host=... dbname=...` (libpq).
  void database(std::string_view name) {
    const int port = name == "psql" ? 5432 : name == "mysql" ? 3306 : 6379;
    const std::string protocol = name == "psql" ? "postgres" : name == "mysql" ? "mysql" : "redis";
    const auto host = [&](const std::string& text) {
      // A directory is a socket of this machine.
      if (text.empty() || text.starts_with('/') || text.find_first_of("$`") != std::string::npos)
        return;
      // So is what listens on the loopback interface.
      if (is_loopback(text)) return;
      add(text, port, protocol, "");
    };
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      const std::string next = i + 1 < argv_.size() ? argv_[i + 1].text : "";
      if (word == "-h" || word == "--host") host(next);
      if (word.starts_with("--host=")) host(word.substr(word.find('=') + 1));
      if (word.starts_with("-h") && !word.starts_with("--") && word.size() > 2 &&
          name != "redis-cli") {
        host(word.substr(2));
      }
      if (url(word)) {
        if (is_loopback(found.back().host)) found.pop_back();
        continue;
      }
      if (name != "psql") continue;
      for (const std::string_view key : {"host=", "hostaddr="}) {
        const std::size_t at = word.find(key);
        if (at == std::string::npos || word.starts_with('-') || (at > 0 && word[at - 1] != ' '))
          continue;
        const std::size_t from = at + key.size();
        host(word.substr(from, word.find(' ', from) - from));
      }
    }
  }

  void authority(const std::string& text, int port, const std::string& protocol) {
    const std::size_t colon = text.rfind(':');
    const bool has_port =
        colon != std::string::npos && is_port(std::string_view(text).substr(colon + 1));
    if (text.empty() || text.find_first_of("$`") != std::string::npos) return;
    add(has_port ? text.substr(0, colon) : text,
        has_port ? std::stoi(text.substr(colon + 1)) : port, protocol, "");
  }

  // openssl s_client HOST:PORT, -connect, -proxy, -host; ocsp -url (openssl-s_client(1)).
  void openssl() {
    const bool client = argv_.size() > 1 && is_one_of<"s_client s_time">(argv_[1].text);
    for (std::size_t i = 2; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (i + 1 < argv_.size() && is_one_of<"-connect -proxy -host">(word)) {
        authority(argv_[++i].text, 443, "tcp");
      } else if (client && i + 1 == argv_.size() && !word.starts_with('-') &&
                 word.find(':') != std::string::npos) {
        authority(word, 443, "tcp");
      } else {
        url(word);
      }
    }
  }

  // mvn -DNAME=VALUE: repositories to load from and to send to (the plugins dependency and deploy).
  void maven() {
    const bool deploys = std::any_of(argv_.begin(), argv_.end(), [](const Argument& one) {
      return one.text.find("deploy") != std::string::npos;
    });
    for (const Argument& one : argv_) {
      const std::size_t equals = one.text.find('=');
      if (!one.text.starts_with("-D") || equals == std::string::npos) continue;
      const std::string name = one.text.substr(2, equals - 2);
      if (!is_one_of<"remoteRepositories altDeploymentRepository altReleaseDeploymentRepository"
                     " altSnapshotDeploymentRepository">(name) &&
          !(deploys && (name == "url" || name == "repositoryUrl"))) {
        continue;
      }
      // ID::LAYOUT::URL, several with commas
      for (std::size_t from = equals + 1; from < one.text.size();) {
        const std::size_t comma = std::min(one.text.find(',', from), one.text.size());
        const std::string_view part = std::string_view(one.text).substr(from, comma - from);
        const std::size_t colons = part.rfind("::");
        url(part.substr(colons == std::string_view::npos ? 0 : colons + 2));
        from = comma + 1;
      }
    }
  }

  // terraform init -from-module=SOURCE, with a getter in front (git::https://...).
  void modules() {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      std::string source;
      if (word.starts_with("-from-module=")) source = word.substr(word.find('=') + 1);
      if (word == "-from-module" && i + 1 < argv_.size()) source = argv_[i + 1].text;
      if (source.empty()) continue;
      if (const std::size_t getter = source.find("::"); getter != std::string::npos) {
        source.erase(0, getter + 2);
      }
      if (!url(source)) scp_like(source);
    }
  }

  // The registry that an image's name begins with, if it names one.
  void image(const std::string& word) {
    const std::string host = word.substr(0, word.find('/'));
    if (word.size() > host.size() && host.find_first_of(".:") != std::string::npos &&
        !host.starts_with('.') && !word.starts_with("sha256:")) {
      authority(host, 443, "https");
    }
  }

  // What leaves the machine or names where to or from: docker push, pull, login, a build that is
  // pushed or comes from a URL, an image that is run and may be loaded first.
  void images() {
    std::size_t sub = 1;
    while (sub < argv_.size() && argv_[sub].text.starts_with('-')) ++sub;
    if (sub < argv_.size() && is_one_of<"image container buildx builder">(argv_[sub].text)) ++sub;
    if (sub >= argv_.size()) return;
    const std::string& name = argv_[sub].text;
    if (name == "run" || name == "create") {
      const std::size_t at = container_options(argv_, sub + 1).image;
      if (at < argv_.size()) image(argv_[at].text);
      return;
    }
    const bool pushed = name == "build" && pushes(sub);
    for (std::size_t i = sub + 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      const bool tag = argv_[i - 1].text == "-t" || argv_[i - 1].text == "--tag";
      if (pushed && tag) image(word);
      if (pushed && word.starts_with("--tag=")) image(word.substr(word.find('=') + 1));
      if (word.starts_with('-')) continue;
      if (is_one_of<"build import compose bake">(name)) url(word);
      if (name == "push" || name == "pull") image(word);
      if (name == "login" && !argv_[i - 1].text.starts_with('-')) {
        authority(word.substr(0, word.find('/')), 443, "https");
      }
    }
  }
  [[nodiscard]] bool pushes(std::size_t from) const {
    return std::any_of(argv_.begin() + static_cast<std::ptrdiff_t>(from), argv_.end(),
                       [](const Argument& one) {
                         return one.text == "--push" || one.text == "--push=true" ||
                                one.text.find("type=registry") != std::string::npos ||
                                one.text.find("push=true") != std::string::npos;
                       });
  }

  void gh() {
    if (argv_.size() > 2 && argv_[1].text == "api") every_url();  // gh api takes whole URLs, too
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      const bool glued = word.starts_with("--hostname=");
      if (glued) authority(word.substr(word.find('=') + 1), 443, "https");
      if (word == "--hostname" && i + 1 < argv_.size()) authority(argv_[i + 1].text, 443, "https");
      // [HOST/]OWNER/REPO, or the address of one.
      const bool named = word.starts_with("--repo=");
      const bool value = argv_[i - 1].text == "-R" || argv_[i - 1].text == "--repo" || named;
      const bool operand = argv_[1].text == "repo" && i > 2 && !word.starts_with('-') &&
                           !argv_[i - 1].text.starts_with('-');
      if (word == "--") return;  // what follows is git's
      if (!value && !operand) continue;
      const std::string repo = named ? word.substr(word.find('=') + 1) : word;
      if (url(repo) || repo.find(':') != std::string::npos) {
        if (repo.find("://") == std::string::npos) scp_like(repo);
      } else if (std::count(repo.begin(), repo.end(), '/') == 2 && !repo.starts_with('.') &&
                 !repo.starts_with('/')) {
        authority(repo.substr(0, repo.find('/')), 443, "https");
      }
    }
  }

  // name @ URL, name@URL, git+URL: where in the word the URL begins.
  static std::string_view url_in(std::string_view word) {
    const std::size_t scheme = word.find("://");
    if (scheme == std::string_view::npos) return word;
    std::size_t from = scheme;
    while (from > 0 && std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789+.")
                               .find(word[from - 1]) != std::string_view::npos) {
      --from;
    }
    return word.substr(from);
  }

  void packages(bool runs_first) {
    const auto fetches = [](const Argument& one) {
      return is_one_of<
          "install i add ci publish update upgrade download wheel dlx sync config source tool run"
          " cache plugin set">(one.text);
    };
    const auto first = argv_.begin() + 1;
    bool operands =
        std::any_of(first, first + std::min<std::ptrdiff_t>(3, argv_.end() - first), fetches);
    const std::size_t sub = argv_.size() > 1 ? 1 : 0;
    // The arguments of a script that runs are its own: `npm run open https://x`.
    const bool own = argv_[sub].text == "run";
    bool operand_seen = false;
    for (std::size_t i = 1; i < argv_.size() && argv_[i].text != "--"; ++i) {
      const std::string& word = argv_[i].text;
      const bool value = argv_[i - 1].text.starts_with('-');
      if (word.starts_with("--")) {
        if (word.starts_with("--proxy="))
          operand(word.substr(word.find('=') + 1));
        else if (word.find('=') != std::string::npos)
          url(word.substr(word.find('=') + 1));
        continue;
      }
      if (word.starts_with('-')) {
        if (word == "-m") ++i;
        if (word.size() > 2) url(url_in(std::string_view(word).substr(2)));
        continue;
      }
      if (argv_[i - 1].text == "--message") continue;
      if (argv_[i - 1].text == "--proxy") {
        operand(word);
        continue;
      }
      const bool package = runs_first && !operand_seen;
      if (!operands && !value && !package) continue;
      if (own && operand_seen && !value) continue;
      if (!value && i > sub) operand_seen = true;
      if (!url(url_in(word)) && word.starts_with("git@")) scp_like(word);
    }
  }

  // `-c KEY=VALUE` and `config KEY VALUE` that name a remote by its address.
  void git_key(const std::string& key, const std::string& value) {
    const std::string lower = ascii_lower(key);
    if (lower == "remote.pushdefault" ||
        (lower.starts_with("branch.") &&
         (lower.ends_with(".remote") || lower.ends_with(".pushremote")))) {
      remote(value);
    }
  }

  // How many operands of the sub-command stand before its remote; npos: none of them is one.
  static std::size_t remote_operand(std::string_view sub, std::string_view next) {
    if (is_one_of<"clone fetch pull push ls-remote fetch-pack send-pack http-push">(sub)) return 0;
    if (sub == "http-fetch" || sub == "request-pull") return 1;
    if (sub == "remote" && (next == "add" || next == "set-url")) return 2;
    if (sub == "submodule" && next == "add") return 1;
    if (sub == "submodule" && next == "set-url") return 2;
    return std::string::npos;
  }

  void git() {
    std::size_t sub = 1;
    while (sub < argv_.size() && argv_[sub].text.starts_with('-')) {
      const bool key = argv_[sub].text == "-c" && sub + 1 < argv_.size();
      if (key) {
        const std::string& text = argv_[sub + 1].text;
        const std::size_t equals = text.find('=');
        if (equals != std::string::npos) git_key(text.substr(0, equals), text.substr(equals + 1));
      }
      sub += key || argv_[sub].text == "-C" ? 2U : 1U;
    }
    if (sub >= argv_.size()) return;
    const std::string& name = argv_[sub].text;
    std::vector<std::string> operands = git_operands(name, sub);
    if (name == "config") {
      for (std::size_t i = 0; i + 1 < operands.size(); ++i) git_key(operands[i], operands[i + 1]);
    }
    const std::size_t at = remote_operand(name, operands.empty() ? "" : operands[0]);
    if (at == std::string::npos) return;
    const bool all = name == "remote";  // set-url NAME NEW OLD
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (i == at || (all && i > at)) remote(operands[i]);
    }
  }

  // The operands behind git's sub-command; the remotes among the options are judged.
  std::vector<std::string> git_operands(std::string_view name, std::size_t sub) {
    const std::string_view value = name == "clone"        ? "obucj"
                                   : name == "push"       ? "o"
                                   : name == "fetch"      ? "oj"
                                   : name == "pull"       ? "ojsX"
                                   : name == "remote"     ? "tm"
                                   : name == "submodule"  ? "b"
                                   : name == "http-fetch" ? "w"
                                                          : "";
    std::vector<std::string> operands;
    bool ended = false;
    for (std::size_t i = sub + 1; i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (ended || !word.starts_with('-') || word == "-") {
        operands.push_back(word);
      } else if (word == "--") {
        ended = true;
      } else if (!word.starts_with("--")) {
        if (word.find_first_of(value, 1) == word.size() - 1) ++i;
      } else {
        const std::size_t equals = word.find('=');
        const std::string_view option = std::string_view(word).substr(2, equals - 2);
        const auto is = [&](std::string_view full) {
          return option.size() > 2 && full.starts_with(option);
        };
        if (is("remote") ? name == "archive" : is("repo") ? name == "push" : is("bundle-uri")) {
          if (equals != std::string::npos)
            remote(word.substr(equals + 1));
          else if (++i < argv_.size())
            remote(argv_[i].text);
        } else if (equals == std::string::npos && is_one_of<kGitValues>(option)) {
          ++i;
        }
      }
    }
    return operands;
  }

  const std::vector<Argument>& argv_;
  std::size_t offset_;
};

}  // namespace

std::vector<HostUse> dialled_hosts(const std::vector<Argument>& argv, std::size_t offset) {
  if (const std::size_t at = module_at(argv); at != npos) {
    return dialled_hosts({argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end()}, offset);
  }
  const std::string_view name = base_name(argv[0].text);
  Network network(argv, offset);
  network.run(name);
  return std::move(network.found);
}

}  // namespace lilith::rules::shell
