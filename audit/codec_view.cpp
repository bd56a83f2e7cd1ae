#include "audit/codec_view.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/event_spellings.hpp"
#include "audit/json/writer.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lilith::audit {
namespace {

constexpr std::size_t kDigitsMax = 18;  // fit into 64 bits without a check
constexpr std::size_t kDetailMembersMax = 32;

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// memcmp for a length known to the compiler: GCC calls the library for many lengths, and a line has
// some forty keys. In words, the last of which may overlap the one before.
template <class Word, std::size_t Size>
bool same_words(const char* a, const char* b) {
  constexpr std::size_t kStep = sizeof(Word), kWholeSteps = (Size - 1) / kStep;
  Word x = 0, y = 0;
  for (std::size_t step = 0; step < kWholeSteps; ++step) {
    std::memcpy(&x, a + step * kStep, kStep);
    std::memcpy(&y, b + step * kStep, kStep);
    if (x != y) return false;
  }
  std::memcpy(&x, a + Size - kStep, kStep);
  std::memcpy(&y, b + Size - kStep, kStep);
  return x == y;
}

template <std::size_t Size>
bool same(const char* a, const char* b) {
  if constexpr (Size >= 8) {
    return same_words<std::uint64_t, Size>(a, b);
  } else if constexpr (Size >= 4) {
    return same_words<std::uint32_t, Size>(a, b);
  } else if constexpr (Size >= 2) {
    return same_words<std::uint16_t, Size>(a, b);
  } else {
    return Size == 0 || *a == *b;
  }
}

// Walks a line from its first byte to its last. Each step says whether the bytes are what the
// writer would have put there.
class Walk {
 public:
  explicit Walk(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

  [[nodiscard]] const char* at() const { return at_; }
  [[nodiscard]] bool at_end() const { return at_ == end_; }
  [[nodiscard]] bool escaped() const { return escaped_; }
  [[nodiscard]] bool ascii() const { return high_ == 0; }

  template <std::size_t N>
  bool take(const char (&text)[N]) {
    if (!next_is(at_, text)) return false;
    at_ += N - 1;
    return true;
  }

  // Begins an object behind its brace; the first member stands without a comma.
  void open() { first_ = true; }
  // `key` is written as it stands in the line: "\"name\":".
  template <std::size_t N>
  bool member(const char (&key)[N]) {
    if (!first_ && (at_ == end_ || *at_ != ',')) return false;
    const char* const from = first_ ? at_ : at_ + 1;
    if (!next_is(from, key)) return false;
    at_ = from + (N - 1);
    first_ = false;
    return true;
  }
  bool close() {
    first_ = false;
    return take("}");
  }
  // With the opening quote: the value of a text.
  bool text(std::string_view& out) {
    return take("\"") && (rest_of_short_text(out) || rest_of_text(out));
  }
  // An absent member is no fault; a value of another type is.
  template <std::size_t N>
  bool text_if(const char (&key)[N], std::string_view& out) {
    return !member(key) || text(out);
  }
  template <std::size_t N>
  bool number_if(const char (&key)[N], std::int64_t& out) {
    return !member(key) || number(out);
  }
  template <std::size_t N>
  bool list_if(const char (&key)[N], std::string_view& out, std::size_t* count = nullptr) {
    return !member(key) || list(out, count);
  }
  // One of the texts of a table of event_spellings.hpp.
  template <const auto& kTable, class Enum>
  bool spelled(Enum& out) {
    return [&]<std::size_t... kRows>(std::index_sequence<kRows...>) {
      return (is_spelled<kTable, kRows>(out) || ...);
    }(std::make_index_sequence<kTable.size()>());
  }
  bool number(std::int64_t& out);

 private:
  template <std::size_t N>
  [[nodiscard]] bool next_is(const char* from, const char (&text)[N]) const {
    return end_ - from >= static_cast<std::ptrdiff_t>(N - 1) && same<N - 1>(from, text);
  }
  template <const auto& kTable, std::size_t kRow, class Enum>
  bool is_spelled(Enum& out) {
    constexpr std::string_view kText = kTable[kRow].text;
    constexpr auto kQuoted = static_cast<std::ptrdiff_t>(kText.size() + 2);
    if (end_ - at_ < kQuoted || at_[0] != '"' || !same<kText.size()>(at_ + 1, kText.begin()) ||
        at_[kQuoted - 1] != '"') {
      return false;
    }
    out = kTable[kRow].value;
    at_ += kQuoted;
    return true;
  }
  bool rest_of_short_text(std::string_view& out);
  bool rest_of_text(std::string_view& out);
  bool to_special();
  bool escape();
  bool list(std::string_view& out, std::size_t* count);

  const char* at_;
  const char* const end_;
  bool first_ = false;
  bool escaped_ = false;
  unsigned high_ = 0;  // not 0: a byte above 0x7F was seen
};

#if defined(__SSE2__)
// Of the 16 bytes at `at`, a bit for each quote, backslash and control character, the lowest for
// the first byte; `high` gets one for each byte above 0x7F.
inline unsigned specials_of_16(const char* at, unsigned& high) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i special =
      _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
                   _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes));
  high |= static_cast<unsigned>(_mm_movemask_epi8(bytes));
  return static_cast<unsigned>(_mm_movemask_epi8(special));
}
#endif

// Most texts of a line end within 16 bytes. False when this one does not, or has an escape in them:
// then nothing was taken.
inline bool Walk::rest_of_short_text(std::string_view& out) {
#if defined(__SSE2__)
  if (end_ - at_ < 16) return false;
  const unsigned found = specials_of_16(at_, high_);
  if (found == 0) return false;
  const auto size = static_cast<std::size_t>(std::countr_zero(found));
  if (at_[size] != '"') return false;
  out = {at_, size};
  at_ += size + 1;
  return true;
#else
  return false;
#endif
}

// To the next quote, backslash or control character; false at the end of the line.
bool Walk::to_special() {
#if defined(__SSE2__)
  while (end_ - at_ >= 16) {
    if (const unsigned found = specials_of_16(at_, high_); found != 0) {
      at_ += std::countr_zero(found);
      return true;
    }
    at_ += 16;
  }
#endif
  for (; at_ != end_; ++at_) {
    const auto c = static_cast<unsigned char>(*at_);
    if (c == '"' || c == '\\' || c < 0x20) return true;
    high_ |= c & 0x80U;
  }
  return false;
}

bool Walk::rest_of_text(std::string_view& out) {
  const char* const from = at_;
  while (to_special()) {
    if (*at_ == '"') {
      out = {from, static_cast<std::size_t>(at_ - from)};
      ++at_;
      return true;
    }
    if (*at_ != '\\' || !escape()) return false;
  }
  return false;
}

// The escapes that json::append_string writes, and no other spelling of them.
bool Walk::escape() {
  escaped_ = true;
  if (end_ - at_ < 2) return false;
  switch (at_[1]) {
    case '"':
    case '\\':
    case 'n':
    case 't':
    case 'r':
      at_ += 2;
      return true;
    case 'u':
      break;
    default:
      return false;
  }
  if (end_ - at_ < 6 || at_[2] != '0' || at_[3] != '0' || !is_lower_hex(at_[5])) return false;
  const bool short_form = at_[4] == '0' && (at_[5] == '9' || at_[5] == 'a' || at_[5] == 'd');
  if (at_[4] != '1' && (at_[4] != '0' || short_form) && (at_[4] != '7' || at_[5] != 'f'))
    return false;
  at_ += 6;
  return true;
}

// Digits, bare or in quotes (beyond 32 bits the writer puts quotes around them).
bool Walk::number(std::int64_t& out) {
  const bool quoted = take("\"");
  const bool negative = take("-");
  const char* const from = at_;
  std::int64_t value = 0;
  for (; at_ != end_ && *at_ >= '0' && *at_ <= '9'; ++at_) {
    if (static_cast<std::size_t>(at_ - from) == kDigitsMax) return false;
    value = value * 10 + (*at_ - '0');
  }
  if (at_ == from || (*from == '0' && (at_ - from > 1 || negative))) return false;
  out = negative ? -value : value;
  return !quoted || take("\"");
}

bool Walk::list(std::string_view& out, std::size_t* count) {
  if (!take("[")) return false;
  const char* const from = at_;
  std::size_t items = 0;
  for (std::string_view item; !take("]"); ++items) {
    if ((items > 0 && !take(",")) || !text(item)) return false;
  }
  out = {from, static_cast<std::size_t>(at_ - 1 - from)};
  if (count != nullptr) *count = items;
  return true;
}

// The next text of a list, which lost its quotes; `list` loses it.
std::string_view next_text(std::string_view& list) {
  std::size_t end = 1;
  while (list[end] != '"') end += list[end] == '\\' ? 2U : 1U;
  const std::string_view text = list.substr(1, end - 1);
  list.remove_prefix(std::min(end + 2, list.size()));  // with the comma, or the colon of `detail`
  return text;
}

bool walk_process(Walk& w, LineView& v) {
  w.open();
  return w.member("\"key\":") && w.text(v.process_key) && w.number_if("\"pid\":", v.process_pid) &&
         w.text_if("\"exe\":", v.process_exe) && w.close();
}

bool walk_policy(Walk& w, LineView& v) {
  w.open();
  return w.text_if("\"sha256\":", v.policy_sha256) && w.number_if("\"line\":", v.policy_line) &&
         w.close();
}

bool walk_agent(Walk& w, LineView& v) {
  w.open();
  return w.text_if("\"name\":", v.agent) && w.text_if("\"session\":", v.session) &&
         w.text_if("\"hook\":", v.hook) && w.text_if("\"call\":", v.call_id) &&
         w.text_if("\"child\":", v.child) && w.close();
}

bool walk_tool(Walk& w, LineView& v) {
  w.open();
  return w.text_if("\"name\":", v.tool) && w.text_if("\"server\":", v.server) && w.close();
}

bool walk_operation(Walk& w, LineView& v) {
  w.open();
  return w.member("\"kind\":") && w.spelled<kOperationKinds>(v.operation_kind) &&
         w.text_if("\"path\":", v.operation_path) &&
         w.text_if("\"program\":", v.operation_program) &&
         w.text_if("\"command\":", v.operation_command) &&
         w.text_if("\"host\":", v.operation_host) && w.number_if("\"port\":", v.operation_port) &&
         v.operation_port >= 0 && v.operation_port <= 65535 &&
         w.text_if("\"protocol\":", v.operation_protocol) &&
         w.text_if("\"url\":", v.operation_url) && w.text_if("\"server\":", v.operation_server) &&
         w.text_if("\"name\":", v.operation_name) && w.close();
}

bool walk_call(Walk& w, LineView& v) {
  const char* const from = w.at() - 1;
  w.open();
  const bool good = w.member("\"kind\":") && w.spelled<kOperationKinds>(v.call_kind) &&
                    w.text_if("\"command\":", v.call_command) &&
                    w.list_if("\"paths\":", v.call_paths) && w.list_if("\"urls\":", v.call_urls) &&
                    w.text_if("\"arguments\":", v.call_arguments) &&
                    w.text_if("\"undecidable\":", v.call_undecidable) && w.close();
  v.call = {from, static_cast<std::size_t>(w.at() - from)};
  return good;
}

bool walk_facts(Walk& w, LineView& v) {
  const char* const from = w.at() - 1;
  w.open();
  std::size_t items = 0;
  const bool good = w.text_if("\"home\":", v.home) &&
                    w.list_if("\"paths\":", v.fact_paths, &items) && items % 3 == 0 &&
                    w.list_if("\"trusted_programs\":", v.trusted_programs) && w.close();
  v.facts = {from, static_cast<std::size_t>(w.at() - from)};
  return good;
}

bool walk_peer(Walk& w, LineView& v) {
  w.open();
  return w.number_if("\"pid\":", v.peer_pid) && w.number_if("\"uid\":", v.peer_uid) && w.close();
}

// Keys chosen by us: no escapes in them, and none twice.
bool walk_detail(Walk& w, LineView& v) {
  const char* const from = w.at();
  std::size_t count = 0;
  for (std::string_view key, value; !w.take("}"); ++count) {
    if (count == kDetailMembersMax || (count > 0 && !w.take(",")) || !w.text(key)) return false;
    std::string_view before(from, static_cast<std::size_t>(key.data() - 1 - from));
    for (std::size_t i = 0; i < count; ++i) {
      if (next_text(before) == key) return false;
      next_text(before);
    }
    if (!w.take(":") || !w.text(value) || key.find('\\') != std::string_view::npos) return false;
  }
  v.detail = {from, static_cast<std::size_t>(w.at() - 1 - from)};
  return true;
}

// An object that may be absent.
template <std::size_t N>
bool object_if(Walk& w, const char (&key)[N], bool (*walk)(Walk&, LineView&), LineView& v) {
  return !w.member(key) || walk(w, v);
}

bool walk_time(Walk& w, LineView& v) {
  if (!w.member("\"time\":") || !w.text(v.time_text)) return false;
  const auto time = parse_time(v.time_text);
  if (time) v.time = *time;
  return time.has_value();
}

bool walk_head(Walk& w, LineView& v) {
  return w.take("{\"lilith\":{\"schema\":1") && w.member("\"event\":") &&
         w.spelled<kEventTypes>(v.type) &&
         (!w.member("\"decision\":") || w.spelled<kVerdicts>(v.decision)) &&
         w.member("\"mode\":") && w.spelled<kModes>(v.mode) && w.member("\"enforcement\":") &&
         w.spelled<kEnforcements>(v.enforcement);
}

bool walk_what_happened(Walk& w, LineView& v) {
  std::int64_t seq = 0;
  const bool good =
      object_if(w, "\"process\":{", walk_process, v) && w.text_if("\"host\":", v.host) &&
      w.number_if("\"seq\":", seq) && seq >= 0 && walk_time(w, v) && w.text_if("\"id\":", v.id) &&
      w.text_if("\"technique\":", v.technique) && w.text_if("\"rule\":", v.rule) &&
      w.text_if("\"reason_code\":", v.reason_code) && w.text_if("\"reason\":", v.reason) &&
      object_if(w, "\"policy\":{", walk_policy, v) && object_if(w, "\"agent\":{", walk_agent, v) &&
      w.text_if("\"user\":", v.user) && w.number_if("\"uid\":", v.uid) &&
      object_if(w, "\"tool\":{", walk_tool, v);
  v.seq = static_cast<std::uint64_t>(seq);
  return good;
}

bool walk_what_was_asked(Walk& w, LineView& v) {
  return object_if(w, "\"operation\":{", walk_operation, v) &&
         w.number_if("\"operations\":", v.operations) && v.operations >= 0 &&
         w.list_if("\"also\":", v.also) && object_if(w, "\"call\":{", walk_call, v) &&
         object_if(w, "\"facts\":{", walk_facts, v) && w.text_if("\"cwd\":", v.cwd) &&
         w.text_if("\"engine\":", v.engine) && w.number_if("\"decide_us\":", v.decide_us) &&
         (!w.member("\"via\":") || w.spelled<kVias>(v.via)) &&
         object_if(w, "\"peer\":{", walk_peer, v) && w.text_if("\"truncated\":", v.truncated) &&
         w.text_if("\"redacted\":", v.redacted) && object_if(w, "\"detail\":{", walk_detail, v) &&
         w.close();
}

bool walk_tail(Walk& w, LineView& v) {
  if (!w.member("\"action\":") || !w.spelled<kActions>(v.action) || !w.member("\"category\":") ||
      !w.spelled<kCategories>(v.category) || !w.member("\"chain\":{")) {
    return false;
  }
  w.open();
  return w.member("\"id\":") && w.text(v.chain_id) && w.member("\"prev\":") &&
         w.text(v.chain_prev) && w.member("\"hash\":") && w.text(v.chain_hash) && w.close() &&
         w.close() && w.at_end();
}

void unescape(std::string_view raw, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      const std::size_t next = std::min(raw.find('\\', i), raw.size());
      out.append(raw, i, next - i);
      i = next - 1;
      continue;
    }
    switch (const char c = raw[++i]) {
      case 'n':
        out.push_back('\n');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 'u': {
        const char low = raw[i + 4];
        out.push_back(
            static_cast<char>((raw[i + 3] - '0') * 16 + (low <= '9' ? low - '0' : low - 'a' + 10)));
        i += 4;
        break;
      }
      default:
        out.push_back(c);
    }
  }
}

void assign(const LineView& view, std::string_view raw, std::string& into) {
  if (view.escaped && raw.find('\\') != std::string_view::npos) {
    unescape(without_guard(raw), into);
  } else {
    into.assign(without_guard(raw));
  }
}

void assign_list(const LineView& view, std::string_view raw, std::vector<std::string>& into) {
  std::size_t count = 0;
  while (!raw.empty()) {
    if (count == into.size()) into.emplace_back();
    assign(view, next_text(raw), into[count++]);
  }
  into.resize(count);
}

// Every text of a view beside the event's.
template <class View, class E, class Visit>
void visit_texts(View& v, E& e, const Visit& visit) {
  visit(v.process_key, e.process_key);
  visit(v.process_exe, e.process_exe);
  visit(v.host, e.host);
  visit(v.id, e.id);
  visit(v.technique, e.technique);
  visit(v.rule, e.rule);
  visit(v.reason_code, e.reason_code);
  visit(v.reason, e.reason);
  visit(v.policy_sha256, e.policy_sha256);
  visit(v.agent, e.agent);
  visit(v.session, e.session);
  visit(v.hook, e.hook);
  visit(v.call_id, e.call_id);
  visit(v.child, e.child);
  visit(v.user, e.facts.user);
  visit(v.tool, e.tool);
  visit(v.server, e.server);
  visit(v.operation_path, e.operation.path);
  visit(v.operation_program, e.operation.program);
  visit(v.operation_command, e.operation.command);
  visit(v.operation_host, e.operation.host);
  visit(v.operation_protocol, e.operation.protocol);
  visit(v.operation_url, e.operation.url);
  visit(v.operation_server, e.operation.server);
  visit(v.operation_name, e.operation.name);
  visit(v.call_command, e.call.command);
  visit(v.call_arguments, e.call.arguments);
  visit(v.call_undecidable, e.call.undecidable);
  visit(v.home, e.facts.home);
  visit(v.cwd, e.facts.cwd);
  visit(v.engine, e.engine);
  visit(v.truncated, e.truncated);
  visit(v.redacted, e.redacted);
  visit(v.chain_id, e.chain_id);
  visit(v.chain_prev, e.chain_prev);
  visit(v.chain_hash, e.chain_hash);
}

void assign_texts(const LineView& v, Event& e) {
  visit_texts(v, e, [&](std::string_view raw, std::string& into) { assign(v, raw, into); });
}

void assign_lists(const LineView& v, Event& e) {
  assign_list(v, v.also, e.also);
  assign_list(v, v.call_paths, e.call.paths);
  assign_list(v, v.call_urls, e.call.urls);
  assign_list(v, v.trusted_programs, e.facts.trusted_programs);
  e.facts.paths.clear();
  for (std::string_view rest = v.fact_paths; !rest.empty();) {
    audit::PathFact& fact = e.facts.paths.emplace_back();
    for (std::string* into : {&fact.given, &fact.resolved, &fact.reason}) {
      assign(v, next_text(rest), *into);
    }
  }
  e.detail.clear();
  for (std::string_view rest = v.detail; !rest.empty();) {
    auto& entry = e.detail.emplace_back(std::string(next_text(rest)), std::string());
    assign(v, next_text(rest), entry.second);
  }
}

}  // namespace

bool view_line(std::string_view line, LineView& view) {
  view = {};
  if (line.size() > limits::kReaderLineBytesMax) return false;
  Walk walk(line);
  if (!walk_head(walk, view) || !walk_what_happened(walk, view) ||
      !walk_what_was_asked(walk, view) || !walk_tail(walk, view)) {
    return false;
  }
  view.escaped = walk.escaped();
  return walk.ascii() || is_valid_utf8(line);
}

std::string_view text_of(const LineView& view, std::string_view raw, std::string& scratch) {
  if (view.escaped && raw.find('\\') != std::string_view::npos) {
    unescape(without_guard(raw), scratch);
    return scratch;
  }
  return without_guard(raw);
}

bool next_detail(std::string_view& rest, std::string_view& key, std::string_view& value) {
  if (rest.empty()) return false;
  key = next_text(rest);
  value = next_text(rest);
  return true;
}

std::string_view detail_of(const LineView& view, std::string_view key, std::string& scratch) {
  std::string_view name, value;
  for (std::string_view rest = view.detail; next_detail(rest, name, value);) {
    if (name == key) return text_of(view, value, scratch);
  }
  return {};
}

void to_event(const LineView& v, Event& e) {
  e.type = v.type;
  e.decision = v.decision;
  e.mode = v.mode;
  e.enforcement = v.enforcement;
  e.via = v.via;
  e.action = v.action;
  e.category = v.category;
  e.operation.kind = v.operation_kind;
  e.call.kind = v.call_kind;
  e.time = v.time;
  e.seq = v.seq;
  e.process_pid = v.process_pid;
  e.policy_line = static_cast<int>(v.policy_line);
  e.facts.uid = v.uid;
  e.operations = static_cast<std::uint32_t>(v.operations);
  e.decide_us = v.decide_us;
  e.operation.port = static_cast<int>(v.operation_port);
  e.peer_pid = v.peer_pid;
  e.peer_uid = v.peer_uid;
  assign_texts(v, e);
  assign_lists(v, e);
  e.unknown.clear();
}

// Appends the JSON of `text` with the blank that the writer puts before a bracket; the result is
// what stands between its quotes.
static std::string_view append_text(std::string& texts, std::string_view text) {
  const std::size_t bracket = text.find_first_not_of(' ');
  const bool guarded = bracket != std::string_view::npos && text[bracket] == '[';
  const std::size_t from = texts.size();
  json::append_string(texts, guarded ? " " + std::string(text) : std::string(text));
  return std::string_view(texts).substr(from + 1, texts.size() - from - 2);
}

void to_view(const Event& e, LineView& v, std::string& texts) {
  v = {};
  v.type = e.type;
  v.decision = e.decision;
  v.mode = e.mode;
  v.enforcement = e.enforcement;
  v.via = e.via;
  v.action = e.action;
  v.category = e.category;
  v.operation_kind = e.operation.kind;
  v.call_kind = e.call.kind;
  v.escaped = true;
  v.time = e.time;
  v.seq = e.seq;
  v.process_pid = e.process_pid;
  v.policy_line = e.policy_line;
  v.uid = e.facts.uid;
  v.operations = e.operations;
  v.decide_us = e.decide_us;
  v.operation_port = e.operation.port;
  v.peer_pid = e.peer_pid;
  v.peer_uid = e.peer_uid;
  // Views must not move: room for the longest escape of every byte, the guards and the quotes.
  constexpr std::size_t kEscapeBytes = 6, kAroundBytes = 4;
  std::size_t room = 0;
  const auto count = [&](std::string_view text) {
    room += text.size() * kEscapeBytes + kAroundBytes;
  };
  visit_texts(v, e, [&](std::string_view, const std::string& text) { count(text); });
  for (const auto& [key, value] : e.detail) {
    count(key);
    count(value);
  }
  texts.clear();
  texts.reserve(room);
  visit_texts(v, e, [&](std::string_view& view, const std::string& text) {
    if (!text.empty()) view = append_text(texts, text);
  });
  const std::size_t from = texts.size();
  for (const auto& [key, value] : e.detail) {
    if (texts.size() > from) texts.push_back(',');
    json::append_string(texts, key);
    texts.push_back(':');
    append_text(texts, value);
  }
  v.detail = std::string_view(texts).substr(from);
}

}  // namespace lilith::audit
