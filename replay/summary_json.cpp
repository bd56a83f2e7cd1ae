// Summary files: one JSON object of version 1. Texts stand where they are used; what repeats is
// left to compression.

#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "replay/summary.hpp"

namespace lilith::replay {
namespace {

constexpr int kVersion = 1;

void write_time(json::Writer& writer, std::string_view name, WallTime time) {
  writer.member(name, static_cast<std::int64_t>(time.time_since_epoch().count()));
}

void write_input(json::Writer& writer, const InputReport& input) {
  writer.key("input").begin_object();
  writer.member("files", input.files).member("lines", input.lines);
  writer.member("unreadable", input.unreadable).member("torn", input.torn);
  writer.key("problems").begin_array();
  for (const std::string& problem : input.problems) writer.value(problem);
  writer.end_array().end_object();
}

void write_quality(json::Writer& writer, const Quality& q) {
  writer.key("quality").begin_object();
  writer.member("events", q.events).member("decided", q.decided).member("imported", q.imported);
  writer.member("other_events", q.other_events).member("duplicates", q.duplicates);
  writer.member("in_log_and_history", q.in_both);
  writer.member("refused_by_person", q.refused_by_person).key("unknown").begin_array();
  for (const std::uint64_t count : q.unknown) writer.value(count);
  writer.end_array();
  write_time(writer, "first_us", q.first);
  write_time(writer, "last_us", q.last);
  writer.end_object();
}

void write_chains(json::Writer& writer, std::string_view name, const ChainSeqs& chains) {
  writer.key(name).begin_array();
  for (const auto& [id, seqs] : chains) {
    writer.begin_object().member("id", id).key("seqs").begin_array();
    for (const auto& [first, last] : seqs.ranges()) {
      writer.begin_object().member("first", first).member("last", last).end_object();
    }
    writer.end_array().end_object();
  }
  writer.end_array();
}

// What came from Kafka; nothing for anything else.
void write_partitions(json::Writer& writer, const Summary& summary) {
  if (summary.partitions.empty()) return;
  writer.key("partitions").begin_array();
  for (const auto& [name, offsets] : summary.partitions) {
    writer.begin_object().member("cluster", name.cluster).member("topic", name.topic);
    writer.member("partition", std::int64_t{name.partition}).key("offsets").begin_array();
    for (const auto& [first, last] : offsets.ranges()) {
      writer.begin_object().member("first", first - 1).member("last", last - 1).end_object();
    }
    writer.end_array().end_object();
  }
  writer.end_array();
  if (!summary.earlier.empty()) write_chains(writer, "earlier", summary.earlier);
}

// Reads members of one object; the first that is missing or wrong is remembered.
class Members {
 public:
  Members(json::View object, std::string& wrong) : object_(object), wrong_(wrong) {}

  std::uint64_t count(std::string_view name) {
    const std::int64_t number = signed_number(name);
    if (number < 0) fail(name);
    return number < 0 ? 0 : static_cast<std::uint64_t>(number);
  }
  WallTime time(std::string_view name) {
    return WallTime(std::chrono::microseconds(signed_number(name)));
  }
  bool flag(std::string_view name) {
    const auto found = object_.find(name);
    const auto value = found ? found->boolean() : std::nullopt;
    if (!value) fail(name);
    return value.value_or(false);
  }
  std::string text(std::string_view name) {
    const auto found = object_.find(name);
    const auto value = found ? found->string() : std::nullopt;
    if (!value) fail(name);
    return std::string(value.value_or(std::string_view()));
  }
  template <class Visit>
  void each(std::string_view name, Visit visit) {
    const auto found = object_.find(name);
    if (!found || !found->is_array()) return fail(name);
    found->each_element([&](json::View one) {
      visit(one);
      return wrong_.empty();
    });
  }
  [[nodiscard]] bool has(std::string_view name) const { return object_.find(name).has_value(); }
  template <class Visit>
  void object(std::string_view name, Visit visit) {
    const auto found = object_.find(name);
    if (!found || !found->is_object()) return fail(name);
    visit(Members(*found, wrong_));
  }
  void fail(std::string_view name) {
    if (wrong_.empty()) wrong_ = name;
  }

 private:
  std::int64_t signed_number(std::string_view name) {
    const auto found = object_.find(name);
    const auto value = found ? found->integer() : std::nullopt;
    if (!value) fail(name);
    return value.value_or(0);
  }

  json::View object_;
  std::string& wrong_;
};

void read_input(Members m, InputReport& input) {
  input.files = m.count("files");
  input.lines = m.count("lines");
  input.unreadable = m.count("unreadable");
  input.torn = m.count("torn");
  m.each("problems", [&](json::View one) {
    input.problem(std::string(one.string().value_or(std::string_view())));
  });
}

void read_chains(Members m, std::string_view name, std::string& wrong, ChainSeqs& out) {
  m.each(name, [&](json::View one) {
    Members c(one, wrong);
    SeqRanges& seqs = out[c.text("id")];
    c.each("seqs", [&](json::View range) {
      Members r(range, wrong);
      const std::uint64_t first = r.count("first"), last = r.count("last");
      if (first == 0 || last < first) return r.fail("seqs");
      seqs.add_range(first, last);
    });
  });
}

void read_partitions(Members m, std::string& wrong, Summary& out) {
  if (!m.has("partitions")) return;
  m.each("partitions", [&](json::View one) {
    Members p(one, wrong);
    PartitionName name{p.text("cluster"), p.text("topic"), 0};
    const std::uint64_t number = p.count("partition");
    if (number > INT32_MAX) return p.fail("partition");
    name.partition = static_cast<std::int32_t>(number);
    SeqRanges& offsets = out.partitions[std::move(name)];
    p.each("offsets", [&](json::View range) {
      Members r(range, wrong);
      const std::uint64_t first = r.count("first"), last = r.count("last");
      if (last < first) return r.fail("offsets");
      offsets.add_range(first + 1, last + 1);
    });
  });
  if (m.has("earlier")) read_chains(m, "earlier", wrong, out.earlier);
}

void read_quality(Members m, Quality& q) {
  q.events = m.count("events");
  q.decided = m.count("decided");
  q.imported = m.count("imported");
  q.other_events = m.count("other_events");
  q.duplicates = m.count("duplicates");
  q.in_both = m.count("in_log_and_history");
  q.refused_by_person = m.count("refused_by_person");
  std::size_t at = 0;
  m.each("unknown", [&](json::View one) {
    const std::int64_t count = one.integer().value_or(-1);
    if (at == q.unknown.size() || count < 0) return m.fail("unknown");
    q.unknown[at++] = static_cast<std::uint64_t>(count);
  });
  q.first = m.time("first_us");
  q.last = m.time("last_us");
}

}  // namespace

void Summary::write_rows(json::Writer& writer) const {
  writer.key("rows").begin_array();
  for (const Row& row : rows_) {
    const CallClass& of = classes_[row.call_class];
    writer.begin_object().member("tool", texts_[of.tool]).member("user", texts_[of.user]);
    writer.member("host", texts_[row.host]).member("was_denied", row.was_denied);
    writer.member("events", row.events);
    write_time(writer, "first_us", row.first);
    write_time(writer, "last_us", row.last);
    writer.member("example", id_text(row)).key("verdicts").begin_array();
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const Verdict& one = verdict(row, i);
      writer.begin_object().member("deny", one.deny).member("blocks", one.blocks);
      writer.member("rule", texts_[one.rule]).member("target", texts_[one.target]).end_object();
    }
    writer.end_array().end_object();
  }
  writer.end_array();
}

std::string Summary::to_json() const {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("lilith_summary", kVersion);
  writer.key("candidates").begin_array();
  for (const Candidate& one : candidates_) {
    writer.begin_object().member("policy", one.name).member("sha256", one.sha256).end_object();
  }
  writer.end_array();
  write_input(writer, input);
  write_quality(writer, quality);
  write_partitions(writer, *this);
  write_chains(writer, "chains", chains);
  writer.key("hosts").begin_array();
  for (const auto& [host, seen] : hosts) {
    writer.begin_object().member("host", host).member("calls", seen.calls);
    write_time(writer, "first_us", seen.first);
    write_time(writer, "last_us", seen.last);
    writer.end_object();
  }
  writer.end_array().key("users").begin_array();
  for (const std::string& user : users) writer.value(user);
  writer.end_array();
  write_rows(writer);
  writer.end_object();
  out.push_back('\n');
  return out;
}

void Summary::read_row(json::View from, std::string& wrong) {
  Members m(from, wrong);
  std::vector<Verdict> verdicts;
  m.each("verdicts", [&](json::View one) {
    Members v(one, wrong);
    Verdict verdict;
    verdict.deny = v.flag("deny");
    verdict.blocks = v.flag("blocks");
    verdict.rule = text(v.text("rule"));
    verdict.target = text(v.text("target"));
    verdicts.push_back(verdict);
  });
  if (verdicts.size() != candidates_.size()) m.fail("verdicts");
  const std::string tool = m.text("tool"), user = m.text("user"), host = m.text("host");
  const bool was_denied = m.flag("was_denied");
  const std::uint64_t events = m.count("events");
  const WallTime first = m.time("first_us"), last = m.time("last_us");
  const std::string example = m.text("example");
  if (!wrong.empty()) return;
  count(class_of(tool, user, verdicts), text(host), was_denied, events, first, last, example);
}

Result<Summary> Summary::from_json(std::string_view text_of_file) {
  json::Document document;
  auto root = document.parse(text_of_file);
  if (!root) return pass_error(root);
  const auto version = root->find("lilith_summary");
  if (!version || version->integer() != kVersion) {
    return fail(ErrorCode::kInvalidInput,
                "not a summary of version 1, as `lilith replay run --summary` writes it");
  }
  std::string wrong;
  Members m(*root, wrong);
  std::vector<Candidate> candidates;
  m.each("candidates", [&](json::View one) {
    Members c(one, wrong);
    candidates.push_back({c.text("policy"), c.text("sha256")});
  });
  Summary out(std::move(candidates));
  m.object("input", [&](Members inner) { read_input(inner, out.input); });
  m.object("quality", [&](Members inner) { read_quality(inner, out.quality); });
  read_partitions(m, wrong, out);
  read_chains(m, "chains", wrong, out.chains);
  m.each("hosts", [&](json::View one) {
    Members h(one, wrong);
    out.hosts[h.text("host")] = {h.time("first_us"), h.time("last_us"), h.flag("calls")};
  });
  m.each("users",
         [&](json::View one) { out.users.emplace(one.string().value_or(std::string_view())); });
  m.each("rows", [&](json::View one) { out.read_row(one, wrong); });
  if (!wrong.empty()) {
    return fail(ErrorCode::kInvalidInput, "damaged summary: '" + wrong + "' is missing or wrong");
  }
  return out;
}

}  // namespace lilith::replay
