#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::rules::shell {
namespace {

enum class Operands { kNone, kAll, kFirst, kSecond, kLast, kAllButFirst };

struct WriteRow {
  std::string_view program;     // "git NAME" for a sub-command, "git NAME WORD" where that decides
  std::string_view value;       // short options with a value
  std::string_view write;       // of those: the value is written
  std::string_view long_value;  // long options with a value in the next word
  std::string_view long_write;  // long options whose value is written, abbreviated or not
  Operands operands = Operands::kNone;
  bool touches = false;
};
// The programs' manuals. A long option of `long_write` takes precedence.
constexpr std::array kWriteRows{
    WriteRow{"curl", "AbcCdDeEFHKmoPQrtTuUwXxyYz", "ocD", "header data user user-agent request",
             "output output-dir dump-header cookie-jar trace trace-ascii stderr etag-save libcurl"
             " hsts alt-svc"},
    WriteRow{"wget", "oaeiBtOTwQPUlARDIX", "OPoa", "header user-agent tries timeout",
             "output-document directory-prefix output-file append-output save-cookies warc-file"
             " hsts-file"},
    // The file that is patched; with -o it is read.
    WriteRow{"patch", "BdDFgioprVxYz", "dor", "strip input prefix suffix fuzz",
             "output directory reject-file", Operands::kFirst},
    WriteRow{"uniq", "fsw", "", "skip-fields skip-chars check-chars", "", Operands::kSecond},
    WriteRow{"gzip", "S", "", "suffix", "", Operands::kAll},
    WriteRow{"tree", "LPIoHT", "o", "", ""},
    WriteRow{"mktemp", "p", "p", "suffix", "tmpdir", Operands::kAll, true},
    WriteRow{"split", "abClnt", "",
             "suffix-length bytes line-bytes lines number additional-suffix filter separator", "",
             Operands::kSecond},
    WriteRow{"yq -i", "oIps", "", "", "", Operands::kAllButFirst},
    WriteRow{"less", "bDhjkoOpPtTxyz", "oO", "", "log-file LOG-FILE"},
    WriteRow{"awk -i", "vFfEile", "", "", "profile pretty-print dump-variables",
             Operands::kAllButFirst},
    WriteRow{"awk", "vFfEile", "", "", "profile pretty-print dump-variables"},
    WriteRow{"pip", "tdwrcefi", "tdw", "requirement constraint index-url extra-index-url",
             "target prefix root dest wheel-dir log src report cache-dir"},
    WriteRow{"uv pip", "torcefip", "to",
             "requirement constraint override index-url extra-index-url find-links python",
             "target prefix output-file cache-dir"},
    WriteRow{"uv export", "op", "o", "python format", "output-file cache-dir"},
    WriteRow{"uv build", "op", "o", "python", "out-dir cache-dir"},
    WriteRow{"uv venv", "p", "", "python prompt", "cache-dir", Operands::kAll},
    WriteRow{"venv", "", "", "prompt", "", Operands::kAll},
    WriteRow{"virtualenv", "p", "", "python prompt", "", Operands::kAll},
    WriteRow{"json.tool", "", "", "indent", "", Operands::kSecond},
    WriteRow{"deno compile", "oc", "o", "config import-map target include", "output"},
    WriteRow{"deno bundle", "oc", "o", "config import-map", "output outdir"},
    WriteRow{"deno install", "nc", "", "name config import-map", "root"},
    WriteRow{"bun build", "", "", "target format", "outfile outdir"},
    WriteRow{"cargo new", "", "", "name vcs edition color registry", "root target-dir",
             Operands::kAll},
    WriteRow{"cp", "tS", "t", "suffix", "target-directory", Operands::kLast},
    WriteRow{"ln", "tS", "t", "suffix", "target-directory", Operands::kLast},
    // What is moved is gone from where it was.
    WriteRow{"mv", "tS", "t", "suffix", "target-directory", Operands::kAll},
    WriteRow{"install", "tSgmo", "t", "suffix group mode owner", "target-directory",
             Operands::kLast},
    WriteRow{"install -d", "tSgmo", "t", "group mode owner", "", Operands::kAll},
    WriteRow{"tee", "", "", "", "", Operands::kAll},
    WriteRow{"touch", "tdr", "", "date reference time", "", Operands::kAll, true},
    WriteRow{"mkdir", "m", "", "mode", "", Operands::kAll, true},
    WriteRow{"rm", "", "", "", "", Operands::kAll},
    WriteRow{"rmdir", "", "", "", "", Operands::kAll, true},
    WriteRow{"truncate", "sr", "", "size reference", "", Operands::kAll},
    WriteRow{"rsync", "efTBM", "T", "rsh exclude include exclude-from include-from filter",
             "temp-dir backup-dir log-file partial-dir write-batch", Operands::kLast},
    WriteRow{"sort", "kStTo", "oT", "key field-separator buffer-size",
             "output temporary-directory"},
    WriteRow{"sed -i", "efl", "", "expression file", "", Operands::kAllButFirst},
    WriteRow{"sed -i -e", "efl", "", "expression file", "", Operands::kAll},
    WriteRow{"unzip", "dxP", "d", "", ""},
    WriteRow{"zip", "binPtx", "b", "", "", Operands::kFirst},
    WriteRow{"chmod", "", "", "reference", "", Operands::kAllButFirst},
    WriteRow{"chmod --reference", "", "", "reference", "", Operands::kAll},
    WriteRow{"chown", "", "", "reference from", "", Operands::kAllButFirst},
    WriteRow{"chgrp", "", "", "reference", "", Operands::kAllButFirst},
    WriteRow{"shred", "ns", "", "iterations size random-source", "", Operands::kAll},
    WriteRow{"unlink", "", "", "", "", Operands::kAll},
    WriteRow{"gcc", "oIDLlUx", "o", "", ""},
    WriteRow{"g++", "oIDLlUx", "o", "", ""},
    WriteRow{"c++", "oIDLlUx", "o", "", ""},
    WriteRow{"clang++", "oIDLlUx", "o", "", ""},
    WriteRow{"javac", "dhs", "dhs", "", ""},
    WriteRow{"docker save", "o", "o", "", "output"},
    WriteRow{"docker export", "o", "o", "", "output"},
    WriteRow{"docker build", "ft", "", "file tag output", "iidfile metadata-file"},
    WriteRow{"helm", "fno", "", "values namespace set", "output-dir"},
    WriteRow{"gh", "RFtbBHLqfXipSmclarDO", "DO", "", "dir output"},
    WriteRow{"psql", "cdfhoLpUvFPRT", "oL", "command dbname file host port username variable",
             "output log-file"},
    WriteRow{"ctest", "ORELCMTSIj", "O", "", "output-log output-junit"},
    WriteRow{"pytest", "kmcopnrW", "", "", "basetemp junitxml junit-xml log-file"},
    WriteRow{"mypy", "mpc", "", "", "cache-dir junit-xml html-report xml-report txt-report"},
    WriteRow{"coverage", "od", "od", "", "data-file"},
    WriteRow{"eslint", "cof", "o", "", "output-file"},
    WriteRow{"eslint --fix", "cof", "o",
             "config format ext plugin rule max-warnings parser ignore-pattern ignore-path"
             " cache-location",
             "output-file", Operands::kAll},
    WriteRow{"jest", "ctwi", "", "", "coverageDirectory outputFile cacheDirectory"},
    WriteRow{"tsc", "", "", "", "outDir outFile declarationDir tsBuildInfoFile generateTrace"},
    WriteRow{"ruff", "o", "o", "config select ignore extend-select", "output-file"},
    WriteRow{"hugo", "bcdDest", "d", "", "destination"},
    WriteRow{"redis-cli", "", "", "", "rdb functions-rdb"},
    WriteRow{"dotnet", "ocfrv", "o", "", "output"},
    WriteRow{"protoc", "Io", "o", "", "descriptor_set_out"},
    // Formatters in their writing mode.
    WriteRow{"black", "clCtjW", "", "code line-length config include exclude target-version", "",
             Operands::kAll},
    WriteRow{"gofmt -w", "r", "", "", "", Operands::kAll},
    WriteRow{"prettier --write", "", "",
             "config parser ignore-path plugin log-level loglevel config-precedence tab-width"
             " print-width end-of-line cache-location",
             "", Operands::kAll},
    WriteRow{"rustfmt", "", "", "edition config config-path emit style-edition", "",
             Operands::kAll},
    WriteRow{"cc", "oIDLlUx", "o", "", ""},
    WriteRow{"clang", "oIDLlUx", "o", "", ""},
    WriteRow{"ssh-keygen", "ftbCNPmIns", "f", "", ""},
    WriteRow{"npm", "", "", "", "pack-destination cache logs-dir"},
    WriteRow{"cargo", "", "", "", "root target-dir artifact-dir out-dir"},
    WriteRow{"git", "", "", "", "output"},
    WriteRow{"git archive", "o", "o", "format prefix", "output"},
    WriteRow{"git format-patch", "ov", "o", "", "output-directory output"},
    WriteRow{"git bugreport", "os", "o", "suffix", "output-directory"},
    WriteRow{"git diagnose", "os", "o", "suffix", "output-directory"},
    WriteRow{"git mailsplit", "o", "o", "", ""},
    WriteRow{"git index-pack", "o", "o", "", ""},
    WriteRow{"git bundle create", "", "", "version", "", Operands::kFirst},
    WriteRow{"git worktree add", "bB", "", "reason", "", Operands::kFirst},
    WriteRow{"git worktree move", "", "", "", "", Operands::kAll},
    WriteRow{"git init", "b", "", "template initial-branch object-format ref-format",
             "separate-git-dir", Operands::kFirst},
    WriteRow{"git clone", "obucj", "",
             "origin branch upload-pack template reference reference-if-able depth shallow-since"
             " shallow-exclude config jobs filter server-option bundle-uri",
             "separate-git-dir", Operands::kSecond},
    WriteRow{"git checkout-index", "", "", "", "prefix"},
    WriteRow{"git fast-export", "", "", "", "export-marks"},
    WriteRow{"git fast-import", "", "", "", "export-marks export-pack-edges"},
    WriteRow{"git read-tree", "", "", "", "index-output"},
    WriteRow{"git interpret-trailers --in-place", "", "", "where if-exists if-missing trailer", "",
             Operands::kAll},
    WriteRow{"git merge-file", "L", "", "", "", Operands::kFirst},
    WriteRow{"git config", "f", "f", "", "file"},
    WriteRow{"shuf", "inor", "o", "input-range head-count", "output"},
    WriteRow{"iconv", "fto", "o", "from-code to-code", "output"},
    WriteRow{"csplit", "fbn", "f", "suffix-format digits", "prefix"},
    WriteRow{"ctags", "fIoLRx", "fo", "", ""},
    WriteRow{"cscope", "fFiIspP", "f", "", ""},
    WriteRow{"dot", "oTKlsGNE", "o", "", ""},
    WriteRow{"esbuild", "", "", "", "outfile outdir metafile"},
    WriteRow{"clang-format -i", "", "", "style assume-filename lines offset length", "",
             Operands::kAll},
    WriteRow{"shfmt -w", "ipfl", "", "", "", Operands::kAll},
    WriteRow{"pandoc", "fotrVMHBATcDs", "o", "from to template metadata variable", "output"},
    WriteRow{"xmllint", "o", "o", "xpath schema", "output"},
    WriteRow{"ffmpeg", "", "", "", "", Operands::kLast},
    WriteRow{"rustc", "oClLWADFO", "o", "crate-name crate-type edition emit target codegen cfg",
             "out-dir"},
    WriteRow{"rustdoc", "oCL", "o", "crate-name edition", "output out-dir"},
    WriteRow{"valgrind", "", "", "", "log-file xml-file"},
    WriteRow{"strace", "abeEIOopPsSuUX", "o", "", "output"},
    WriteRow{"ltrace", "aADeFlnopsuwx", "o", "", "output"},
    WriteRow{"ed", "p", "", "", "", Operands::kAll},
    WriteRow{"mysql", "hPupDeS", "", "", "tee"},
    WriteRow{"mariadb", "hPupDeS", "", "", "tee"},
    WriteRow{"perf", "eoFcCmptrxIGD", "o", "event repeat call-graph freq pid tid cpu", "output"},
    WriteRow{"hyperfine", "wmMrnupscLPDS", "",
             "warmup min-runs max-runs runs command-name time-unit prepare setup cleanup shell",
             "export-json export-csv export-markdown export-asciidoc export-orgmode output"},
    WriteRow{"history -w", "", "", "", "", Operands::kAll},
    WriteRow{"perl -i", "eEIMm", "", "", "", Operands::kAll},
    WriteRow{"perl -i FILE", "IMm", "", "", "", Operands::kAllButFirst},
};

constexpr auto kWritePlaces = by_program(kWriteRows);

const WriteRow* write_row(std::string_view program) {
  const auto rows = rows_of(kWriteRows, kWritePlaces, program);
  return rows.empty() ? nullptr : &kWriteRows[rows.front()];
}

// Whether a long option (without dashes and value) is or abbreviates a word of the list.
bool abbreviates_one(std::string_view list, std::string_view option) {
  std::size_t at = 0;
  while (!option.empty() && at < list.size()) {
    const std::size_t end = std::min(list.find(' ', at), list.size());
    if (list.substr(at, end - at).starts_with(option)) return true;
    at = end + 1;
  }
  return false;
}

class Writes {
 public:
  explicit Writes(const std::vector<Argument>& argv) : argv_(argv) {}

  std::vector<WriteOperand> find(std::string_view name);

 private:
  void add(std::size_t argument, std::size_t from = 0, std::size_t size = npos) {
    if (argument < argv_.size() && from < argv_[argument].text.size()) {
      if (argv_[argument].text.substr(from) == "-") return;  // standard output
      found_.push_back({argument, from, size, base_, touches_});
    }
  }
  void by_row(const WriteRow& row, std::size_t from);
  std::size_t short_options(const WriteRow& row, std::size_t i);
  void git();
  void tar();
  void containers();
  void mounts(std::size_t from);
  void mount(std::size_t argument, std::size_t from, bool volume);
  void build_output(std::size_t argument, std::size_t from);
  void xxd();
  void curl_outputs();
  void sed_suffix();
  void sub_command(std::string_view name);
  void cmake();
  void go();
  void long_behind_one_dash(std::string_view name);
  void protoc();
  void find_deletes();
  void compresses();
  void awk();
  void edits(std::string_view name);
  void formatter(std::string_view name);
  [[nodiscard]] bool any_short(char letter, std::string_view value) const {
    return std::any_of(argv_.begin() + 1, argv_.end(), [&](const Argument& argument) {
      return has_short(argument.text, letter, value);
    });
  }
  [[nodiscard]] bool any_long(std::string_view option) const {
    return std::any_of(argv_.begin() + 1, argv_.end(), [&](const Argument& argument) {
      std::string_view word = argument.text;
      if (!word.starts_with("--")) return false;
      word = word.substr(2, word.find('=') - 2);
      return word.size() > 1 && option.starts_with(word);
    });
  }

  const std::vector<Argument>& argv_;
  std::vector<WriteOperand> found_;
  std::size_t base_ = 0;
  bool touches_ = false;
};

// Returns the index of the last word that belongs to the bundle at `i`.
std::size_t Writes::short_options(const WriteRow& row, std::size_t i) {
  const std::string& word = argv_[i].text;
  for (std::size_t at = 1; at < word.size(); ++at) {
    if (row.value.find(word[at]) == npos) continue;
    const bool writes = row.write.find(word[at]) != npos;
    if (at + 1 < word.size()) {
      if (writes) add(i, at + 1);
      return i;
    }
    if (writes) add(i + 1);
    return i + 1;
  }
  return i;
}

void Writes::by_row(const WriteRow& row, std::size_t from) {
  touches_ = row.touches;
  std::vector<std::size_t> operands;
  bool ended = false;
  bool target = false;
  for (std::size_t i = from; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (ended || !word.starts_with('-') || word == "-") {
      if (word != "-") operands.push_back(i);
      continue;
    }
    if (word == "--") {
      ended = true;
      continue;
    }
    const std::size_t before = found_.size();
    if (!word.starts_with("--")) {
      i = short_options(row, i);
    } else {
      const std::size_t equals = word.find('=');
      const std::string_view option = std::string_view(word).substr(2, equals - 2);
      if (abbreviates_one(row.long_write, option)) {
        equals == npos ? add(++i) : add(i, equals + 1);
      } else if (equals == npos && is_word_of(row.long_value, option)) {
        ++i;
      }
    }
    target = target || found_.size() > before;
  }
  if (operands.empty()) return;
  switch (row.operands) {
    case Operands::kNone:
      break;
    case Operands::kAllButFirst:
      operands.erase(operands.begin());
      [[fallthrough]];
    case Operands::kAll:
      for (const std::size_t operand : operands) add(operand);
      break;
    case Operands::kFirst:
      add(operands[0]);
      break;
    case Operands::kSecond:
      if (operands.size() > 1) add(operands[1]);
      break;
    case Operands::kLast:
      // With -t DIR every operand is a source, and one operand alone writes nothing it names.
      // `cp f{,.bak}` is one word here and two for cp.
      if ((operands.size() > 1 || argv_[operands.back()].text.find('{') != npos) &&
          (!target || row.program == "rsync")) {
        add(operands.back());
      }
      break;
  }
}

void Writes::git() {
  std::size_t at = 1;
  std::size_t directories = 0;
  for (; at < argv_.size() && argv_[at].text.starts_with('-'); ++at) {
    const std::string& word = argv_[at].text;
    if (word.starts_with("--work-tree=")) add(at, std::string_view("--work-tree=").size());
    if (word == "--work-tree") add(at + 1);
    if (word == "-C") {
      base_ = ++directories == 1 ? at + 1 : WriteOperand::kUnknownBase;
    }
    if (word == "-C" || word == "-c" || word == "--git-dir" || word == "--work-tree" ||
        word == "--namespace" || word == "--super-prefix" || word == "--attr-source" ||
        word == "--shallow-file" || word == "--config-env") {
      ++at;
    }
  }
  if (at >= argv_.size()) return;
  const std::string& sub = argv_[at].text;
  if (sub == "config" && reads_git_config(argv_, at)) return;
  const std::string name = "git " + (sub == "init-db" ? std::string("init") : sub);
  std::size_t from = at + 1;
  const WriteRow* row = nullptr;
  if (sub == "interpret-trailers" && any_long("in-place")) {
    row = write_row(name + " --in-place");
  } else if (sub == "bundle" || sub == "worktree") {
    while (from < argv_.size() && argv_[from].text.starts_with('-')) ++from;
    if (from < argv_.size()) row = write_row(name + " " + argv_[from++].text);
  } else {
    row = write_row(name);
  }
  if (row == nullptr) row = write_row("git");
  if (row != nullptr) by_row(*row, from);
}

void Writes::tar() {
  // The first word may be a bundle without a dash, whose values follow in their order.
  constexpr std::string_view kValue = "fCbgHIKLNTVXF";
  bool creates = false;
  bool extracts = false;
  std::vector<std::pair<std::size_t, std::size_t>> files;
  std::vector<std::pair<std::size_t, std::size_t>> directories;
  const auto mode = [&](char letter) {
    creates = creates || letter == 'c' || letter == 'r' || letter == 'u' || letter == 'A';
    extracts = extracts || letter == 'x';
  };
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const std::string option = word.substr(2, equals - 2);
      const std::pair<std::size_t, std::size_t> value =
          equals == npos ? std::pair(i + 1, std::size_t{0}) : std::pair(i, equals + 1);
      const auto is = [&](std::string_view full, std::size_t least) {
        return option.size() >= least && full.starts_with(option);
      };
      if (is("listed-incremental", 2) || is("index-file", 3)) add(value.first, value.second);
      if (is("one-top-level", 3)) directories.push_back(value);
      if (is("file", 4)) files.push_back(value);
      if (is("directory", 2)) directories.push_back(value);
      if (is("create", 2) || is("append", 2) || is("update", 2) || is("delete", 3) ||
          is("concatenate", 3) || is("catenate", 3)) {
        creates = true;
      }
      if (is("extract", 3) || is("get", 1)) extracts = true;
      continue;
    }
    const bool old_style = i == 1 && !word.starts_with('-');
    if (!old_style && !word.starts_with('-')) continue;
    std::size_t next = i + 1;
    for (std::size_t at = old_style ? 0 : 1; at < word.size(); ++at) {
      mode(word[at]);
      if (kValue.find(word[at]) == npos) continue;
      const bool glued = !old_style && at + 1 < word.size();
      const std::pair<std::size_t, std::size_t> value =
          glued ? std::pair(i, at + 1) : std::pair(next++, std::size_t{0});
      if (word[at] == 'g') add(value.first, value.second);
      if (word[at] == 'f') files.push_back(value);
      if (word[at] == 'C') directories.push_back(value);
      if (glued) break;
    }
    i = next - 1;
  }
  if (creates) {
    for (const auto& [argument, from] : files) add(argument, from);
  }
  if (!extracts) return;
  for (const auto& [argument, from] : directories) {
    add(argument, from);
    base_ = base_ == 0 && from == 0 ? argument : WriteOperand::kUnknownBase;
  }
}

// cmake(1): the build tree, the place of an installation, and the tools of cmake -E.
void Writes::cmake() {
  if (argv_.size() > 2 && argv_[1].text == "-E") {
    const std::string& tool = argv_[2].text;
    const bool last = tool.starts_with("copy") || tool == "rename" || tool == "create_symlink" ||
                      tool == "create_hardlink";
    const bool all =
        is_one_of<"rm remove remove_directory touch touch_nocreate make_directory">(tool);
    if (last && argv_.size() > 4) add(argv_.size() - 1);
    for (std::size_t i = 3; all && i < argv_.size(); ++i) {
      if (!argv_[i].text.starts_with('-')) add(i);
    }
    return;
  }
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "--") return;
    if (word == "-B" || word == "--prefix" || word == "--install-prefix") add(i + 1);
    if (word.starts_with("-B") && word.size() > 2) add(i, 2);
    if (word.starts_with("--prefix=") || word.starts_with("--install-prefix=")) {
      add(i, word.find('=') + 1);
    }
  }
}

// What a formatter would write back, unless it is told only to look.
void Writes::formatter(std::string_view name) {
  if (name == "eslint") return by_row(*write_row(any_long("fix") ? "eslint --fix" : "eslint"), 1);
  const bool looks = any_long("check") || any_long("diff");
  if (name == "black" || name == "rustfmt") {
    if (!looks) by_row(*write_row(name), 1);
  } else if (name == "gofmt") {
    if (any_short('w', "r")) by_row(*write_row("gofmt -w"), 1);
  } else if (name == "prettier") {
    if (any_long("write") || any_short('w', "")) by_row(*write_row("prettier --write"), 1);
  } else {
    by_row(*write_row(name), 1);  // ruff
    const bool writes = argv_.size() > 1 && ((argv_[1].text == "format" && !looks) ||
                                             (argv_[1].text == "check" && any_long("fix")));
    for (std::size_t i = 2; writes && i < argv_.size(); ++i) {
      const bool value = argv_[i - 1].text.starts_with("--") &&
                         argv_[i - 1].text.find('=') == npos &&
                         is_one_of<"--config --select --ignore --extend-select --output-format">(
                             argv_[i - 1].text);
      if (!argv_[i].text.starts_with('-') && !value) add(i);
    }
  }
}

// The row of `uv pip install`, `deno compile`: of the first word that is no option.
void Writes::sub_command(std::string_view name) {
  std::size_t at = 1;
  while (at < argv_.size() && argv_[at].text.starts_with('-')) ++at;
  if (at >= argv_.size()) return;
  const WriteRow* const row = write_row(std::string(name) + " " + argv_[at].text);
  if (row != nullptr) by_row(*row, at + 1);
}

// xxd(1): its options are not bundled, and its second operand is the output.
void Writes::xxd() {
  std::size_t operands = 0;
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word.starts_with('-') && word.size() > 1) {
      if (is_one_of<"-c -cols -g -groupsize -l -len -o -off -s -seek -n -name -R">(word)) ++i;
    } else if (++operands == 2) {
      add(i);
    }
  }
}

// docker(1), podman(1): `docker image save` is `docker save`.
void Writes::containers() {
  std::size_t at = 1;
  for (; at < argv_.size() && argv_[at].text.starts_with('-'); ++at) {
    if (is_one_of<"-l --log-level">(argv_[at].text)) ++at;
  }
  if (at < argv_.size() && is_one_of<"image container buildx builder">(argv_[at].text)) ++at;
  if (at >= argv_.size()) return;
  const std::string& sub = argv_[at].text;
  if (sub == "cp") {
    if (argv_.size() > at + 2 && argv_.back().text.find(':') == npos) add(argv_.size() - 1);
  } else if (sub == "run" || sub == "create") {
    mounts(at + 1);
  } else if (sub == "compose") {
    while (at < argv_.size() && argv_[at].text != "run") ++at;
    mounts(at + 1);
  } else if (const WriteRow* const row = write_row("docker " + sub); row != nullptr) {
    by_row(*row, at + 1);
    for (std::size_t i = at + 1; sub == "build" && i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word == "-o" || word == "--output") build_output(i + 1, 0);
      if (word.starts_with("--output=")) build_output(i, word.find('=') + 1);
      if (word.starts_with("-o") && word.size() > 2) build_output(i, word[2] == '=' ? 3 : 2);
    }
  }
}

// DIRECTORY, or type=local,dest=DIRECTORY (docker-buildx-build(1)).
void Writes::build_output(std::size_t argument, std::size_t from) {
  if (argument >= argv_.size()) return;
  const std::string& word = argv_[argument].text;
  const std::size_t dest = word.find("dest=", from);
  if (dest != npos) {
    const std::size_t path = dest + 5;
    add(argument, path, std::min(word.find(',', path), word.size()) - path);
  } else if (word.find('=', from) == npos) {
    add(argument, from);
  }
}

// The options of `docker run` up to the image: what is mounted without `ro` is the container's to
// write.
void Writes::mounts(std::size_t from) {
  for (const ContainerOption& one : container_options(argv_, from).options) {
    if (one.option == "--volume" || one.option == "-v") mount(one.argument, one.from, true);
    if (one.option == "--mount") mount(one.argument, one.from, false);
    if (one.option == "--cidfile") add(one.argument, one.from);
  }
}

// A volume is SOURCE:TARGET[:ro], a mount type=bind,source=SOURCE,target=TARGET[,readonly]. A name
// without a slash is a volume of docker's own.
void Writes::mount(std::size_t argument, std::size_t from, bool volume) {
  if (argument >= argv_.size()) return;
  const std::string& word = argv_[argument].text;
  std::size_t begin = from;
  std::size_t end = word.find(volume ? ':' : ',', from);
  if (volume && end == npos) return;  // a place in the container alone
  const std::size_t target = end;
  if (!volume) {
    begin = word.find("source=", from);
    if (begin == npos) begin = word.find("src=", from);
    if (begin == npos || word.find("type=bind", from) == npos) return;
    begin = word.find('=', begin) + 1;
    end = std::min(word.find(',', begin), word.size());
  }
  const std::size_t options = volume ? word.find(':', target + 1) : from;
  for (std::size_t at = options; at != npos && at < word.size();) {
    const std::size_t next = word.find(',', at + 1);
    std::string_view one = std::string_view(word).substr(at, next - at);
    if (one.starts_with(',') || one.starts_with(':')) one.remove_prefix(1);
    if (is_one_of<"ro readonly readonly=true ro=true readonly=1 ro=1">(one)) return;
    at = next;
  }
  const std::string_view source = std::string_view(word).substr(begin, end - begin);
  if (source.find_first_of("/$") != npos || source.starts_with('.') || source.starts_with('~')) {
    add(argument, begin, end - begin);
  }
}

void Writes::curl_outputs() {
  // -w '%output{FILE}', '%output{>>FILE}' (curl(1), --write-out)
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    constexpr std::string_view kOutput = "%output{";
    const std::string& word = argv_[i].text;
    for (std::size_t at = word.find(kOutput); at != npos; at = word.find(kOutput, at + 1)) {
      const std::size_t from = word.find_first_not_of('>', at + kOutput.size());
      if (from != npos) add(i, from, std::min(word.find('}', from), word.size()) - from);
    }
  }
}

void Writes::sed_suffix() {
  // A suffix with a slash says where the copy of each file goes (sed's manual, -i).
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    const std::size_t equals = word.find('=');
    const bool suffix = word.starts_with("--i") && equals != npos &&
                        std::string_view("--in-place").starts_with(word.substr(0, equals));
    const std::size_t letter = short_option(word, 'i', "efl");
    const std::size_t from = suffix ? equals + 1 : letter != npos ? letter + 1 : word.size();
    if (word.find('/', from) != npos) add(i, from);
  }
}

// go -C DIR build -o NAME
void Writes::go() {
  if (argv_.size() > 2 && (argv_[1].text == "-C" || argv_[1].text == "--C")) base_ = 2;
  // go's options are long ones behind one dash.
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    const std::size_t equals = word.find('=');
    const std::size_t dashes = word.starts_with("--") ? 1 : 0;
    if (is_one_of<"-o -coverprofile -cpuprofile -memprofile -blockprofile -mutexprofile -trace"
                  " -outputdir -objdir">(std::string_view(word).substr(0, equals).substr(dashes))) {
      equals == npos ? add(i + 1) : add(i, equals + 1);
    }
  }
}

void Writes::long_behind_one_dash(std::string_view name) {
  // Long options behind one dash.
  const std::string_view outputs =
      name == "terraform" ? "-out -state-out -backup"
      : name == "tsc"     ? "-outDir -outFile -declarationDir"
                          : "-out -keyout -writerand -CAserial -sess_out -msg_out -serverinfo";
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    const std::size_t equals = word.find('=');
    if (!is_word_of(outputs, std::string_view(word).substr(0, equals))) continue;
    equals == npos ? add(i + 1) : add(i, equals + 1);
  }
  if (name == "tsc") by_row(*write_row(name), 1);
}

void Writes::protoc() {
  // --cpp_out=[OPTIONS:]DIR
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    const std::size_t equals = word.find("_out=");
    if (!word.starts_with("--") || equals == npos) continue;
    const std::size_t colon = word.rfind(':');
    add(i, colon != npos && colon > equals ? colon + 1 : equals + 5);
  }
  by_row(*write_row("protoc"), 1);
}

void Writes::find_deletes() {
  // -delete removes what lies below the starting points.
  const bool removes = std::any_of(argv_.begin(), argv_.end(),
                                   [](const Argument& one) { return one.text == "-delete"; });
  for (std::size_t i = 1; removes && i < argv_.size(); ++i) {
    const std::string& word = argv_[i].text;
    if (word == "-H" || word == "-L" || word == "-P") continue;
    if (word.starts_with('-') || word == "(" || word == "!") break;
    add(i);
  }
}

void Writes::awk() {
  const bool in_place = std::any_of(argv_.begin(), argv_.end(), [](const Argument& one) {
    return one.text == "inplace" || one.text == "-iinplace" || one.text == "--include=inplace";
  });
  for (std::size_t i = 1; i < argv_.size(); ++i) {
    // Their values are glued or absent.
    const std::string& word = argv_[i].text;
    if (word.size() > 2 && word[0] == '-' && std::string_view("dop").find(word[1]) != npos) {
      add(i, 2);
    }
  }
  by_row(*write_row(in_place ? "awk -i" : "awk"), 1);
}

void Writes::compresses() {
  // What is compressed takes the place of what was there.
  const bool prints = any_short('c', "S") || any_short('l', "S") || any_short('t', "S") ||
                      any_long("stdout") || any_long("to-stdout") || any_long("list") ||
                      any_long("test");
  if (!prints) by_row(*write_row("gzip"), 1);
}

// What programs write that change files where they are, or by a sub-command.
void Writes::edits(std::string_view name) {
  if (name == "sed") {
    sed_suffix();
    if (any_short('i', "efl") || any_long("in-place")) {
      const bool script = any_short('e', "fli") || any_short('f', "eli") ||
                          any_long("expression") || any_long("file");
      by_row(*write_row(script ? "sed -i -e" : "sed -i"), 1);
    }
  } else if (name == "perl" || name == "ruby") {
    // -i writes every operand, but for the script where none is given by -e.
    const std::string_view values = "eEIMmxF";
    if (any_short('i', values)) {
      const bool text = any_short('e', "IMmxF") || any_short('E', "IMmxF");
      by_row(*write_row(text ? "perl -i" : "perl -i FILE"), 1);
    }
  } else if (name == "clang-format") {
    if (any_short('i', "")) by_row(*write_row("clang-format -i"), 1);
  } else if (name == "shfmt") {
    if (any_short('w', "ip")) by_row(*write_row("shfmt -w"), 1);
  } else if (name == "history") {
    if (any_short('w', "") || any_short('a', "")) by_row(*write_row("history -w"), 1);
  } else if (name == "7z" || name == "7za") {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      if (argv_[i].text.starts_with("-o")) add(i, 2);
    }
  } else if (name == "yq") {
    if (any_short('i', "oIps") || any_long("inplace")) by_row(*write_row("yq -i"), 1);
  } else if (name == "awk" || name == "gawk") {
    awk();
  } else if (name == "chmod" && any_long("reference")) {
    by_row(*write_row("chmod --reference"), 1);
  } else if (name == "gzip" || name == "gunzip" || name == "bzip2" || name == "bunzip2" ||
             name == "xz" || name == "unxz" || name == "zstd") {
    compresses();
  } else if (name == "xxd") {
    xxd();
  } else if (name == "pip3") {
    by_row(*write_row("pip"), 1);
  } else if (name == "cargo") {
    std::size_t sub = 1;
    while (sub < argv_.size() && argv_[sub].text.find_first_of("+-") == 0) ++sub;
    const bool creates =
        sub < argv_.size() &&
        (argv_[sub].text == "new" || argv_[sub].text == "init" || argv_[sub].text == "vendor");
    by_row(*write_row(creates ? "cargo new" : "cargo"), creates ? sub + 1 : 1);
    // What stands behind "--" is rustc's.
    const bool rustc = sub < argv_.size() && argv_[sub].text == "rustc";
    for (std::size_t i = sub + 1; rustc && i < argv_.size(); ++i) {
      const std::string& word = argv_[i].text;
      if (word == "-o" || word == "--out-dir") add(i + 1);
      if (word.starts_with("--out-dir=")) add(i, word.find('=') + 1);
    }
  } else if (name == "install" && (any_short('d', "tSgmo") || any_long("directory"))) {
    by_row(*write_row("install -d"), 1);
  } else if (const WriteRow* row = write_row(name); row != nullptr) {
    by_row(*row, 1);
  }
}

std::vector<WriteOperand> Writes::find(std::string_view name) {
  // Of most programs the row says all.
  if (!is_one_of<
          "git tar dd curl docker podman uv deno bun go terraform openssl tsc kubectl gcc g++ cc "
          "c++"
          " clang clang++ cmake protoc eslint prettier black rustfmt gofmt ruff find sed perl ruby"
          " clang-format shfmt history 7z 7za yq awk gawk chmod gzip gunzip bzip2 bunzip2 xz unxz "
          "zstd"
          " xxd pip3 cargo install">(name)) {
    if (const WriteRow* const row = write_row(name); row != nullptr) by_row(*row, 1);
  } else if (name == "git") {
    git();
  } else if (name == "tar") {
    tar();
  } else if (name == "dd") {
    for (std::size_t i = 1; i < argv_.size(); ++i) {
      if (argv_[i].text.starts_with("of=")) add(i, 3);
    }
  } else if (name == "curl") {
    curl_outputs();
    by_row(*write_row(name), 1);
  } else if (name == "docker" || name == "podman") {
    containers();
  } else if (is_one_of<"uv deno bun">(name)) {
    sub_command(name);
  } else if (name == "go") {
    go();
  } else if (name == "terraform" || name == "openssl" || name == "tsc") {
    long_behind_one_dash(name);
  } else if (name == "kubectl" && argv_.size() > 3 && argv_[1].text == "cp") {
    if (argv_.back().text.find(':') == npos) add(argv_.size() - 1);
  } else if (is_one_of<"gcc g++ cc c++ clang clang++">(name)) {
    for (std::size_t i = 1; i < argv_.size(); ++i) {  // where make's rules go
      if (argv_[i].text == "-MF") add(i + 1);
      if (argv_[i].text.starts_with("-MF") && argv_[i].text.size() > 3) add(i, 3);
    }
    by_row(*write_row(name), 1);
  } else if (name == "cmake") {
    cmake();
  } else if (name == "protoc") {
    protoc();
  } else if (is_one_of<"eslint prettier black rustfmt gofmt ruff">(name)) {
    formatter(name);
  } else if (name == "find") {
    find_deletes();
  } else {
    edits(name);
  }
  return std::move(found_);
}

}  // namespace

// The options of `docker run` up to the image, and where that stands.
ContainerCall container_options(const std::vector<Argument>& argv, std::size_t from) {
  static constexpr std::string_view kSwitches =
      "--detach --disable-content-trust --init --interactive --no-healthcheck --oom-kill-disable"
      " --privileged --publish-all --quiet --read-only --rm --sig-proxy --tty --build --no-deps"
      " --no-TTY --remove-orphans --service-ports --use-aliases --replace --rmi --no-hosts "
      "--tls-verify";
  ContainerCall call;
  std::size_t i = from;
  for (; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") {
      ++i;
      break;
    }
    if (!word.starts_with('-')) break;
    if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const std::string option = word.substr(0, equals);
      const bool alone = equals == npos && is_one_of<kSwitches>(option);
      const std::size_t value = equals == npos ? i + 1 : i;
      if (!alone) call.options.push_back({option, value, equals == npos ? 0 : equals + 1});
      if (!alone) i = value;
      continue;
    }
    // Letters without a value may stand before one that has one, which ends the bundle.
    const std::size_t letter = word.find_first_not_of("ditPqT", 1);
    if (letter == npos) continue;
    const bool glued = letter + 1 < word.size();
    call.options.push_back(
        {"-" + word.substr(letter, 1), glued ? i : i + 1, glued ? letter + 1 : 0});
    if (!glued) ++i;
  }
  call.image = std::min(i, argv.size());
  return call;
}

bool has_write_rows(std::string_view program) {
  // "git", or "git add" alone.
  return std::any_of(kWriteRows.begin(), kWriteRows.end(), [&](const WriteRow& row) {
    return row.program.starts_with(program) &&
           (row.program.size() == program.size() || row.program[program.size()] == ' ');
  });
}

std::vector<WriteOperand> write_operands(const std::vector<Argument>& argv) {
  if (argv.empty()) return {};
  if (const std::size_t at = module_at(argv); at != npos) {
    const std::vector<Argument> module(argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end());
    std::vector<WriteOperand> found = write_operands(module);
    for (WriteOperand& one : found) {
      one.argument += at;
      if (one.base != 0 && one.base != WriteOperand::kUnknownBase) one.base += at;
    }
    return found;
  }
  const std::string_view name = base_name(argv[0].text);
  return Writes(argv).find(name);
}

}  // namespace lilith::rules::shell
