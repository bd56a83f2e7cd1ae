#include "replay/review.hpp"

#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace lilith::replay {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kDetailRows = 4;       // below the list, where there is room for them
constexpr std::size_t kRowsForDetails = 10;  // title, list, details, keys
constexpr std::string_view kKeys =
    "a accept  r reject  o open  arrows or j k move  n next open  w write  q write and quit  Q "
    "quit";

std::string key_of(std::string_view kind, std::string_view value, std::int64_t port,
                   std::string_view protocol) {
  return fmt::format("{}\x1F{}\x1F{}\x1F{}", kind, value, port, protocol);
}
std::string key_of(const Suggestion& one) {
  return key_of(name(one.kind), one.value, one.port, one.protocol);
}

std::optional<Choice> choice_named(std::string_view text) {
  for (const Choice one : {Choice::kOpen, Choice::kAccepted, Choice::kRejected}) {
    if (name(one) == text) return one;
  }
  return std::nullopt;
}

std::string cut(std::string_view text, std::size_t columns) {
  return std::string(utf8_prefix(text, columns));
}

ScreenLine entry(const Review& review, std::size_t index, bool selected, std::size_t columns) {
  ScreenLine out;
  out.text = cut(entry_line(review, index), columns);
  out.selected = selected;
  using Tone = ScreenLine::Tone;
  switch (review.choice(index)) {
    case Choice::kAccepted:
      out.tone = Tone::kAccepted;
      break;
    case Choice::kRejected:
      out.tone = Tone::kRejected;
      break;
    case Choice::kOpen:
      if (review.suggestions()[index].held != Held::kNo) out.tone = Tone::kHeld;
  }
  return out;
}

// The text in lines of at most `columns` bytes, broken at blanks where there are some.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns, std::size_t rows) {
  std::vector<std::string> out;
  while (!text.empty() && out.size() < rows) {
    std::string_view line = utf8_prefix(text, columns);
    if (line.size() < text.size()) {
      const std::size_t blank = line.rfind(' ');
      if (blank != std::string_view::npos && blank > 0) line = line.substr(0, blank);
    }
    if (line.empty()) break;
    out.emplace_back(line);
    text.remove_prefix(line.size());
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return out;
}

}  // namespace

std::string_view name(Choice choice) {
  switch (choice) {
    case Choice::kOpen:
      break;
    case Choice::kAccepted:
      return "accepted";
    case Choice::kRejected:
      return "rejected";
  }
  return "open";
}

Review::Review(SuggestedPolicy suggested, std::shared_ptr<const rules::Policy> base,
               std::string base_yaml, DayRange days)
    : suggested_(std::move(suggested)),
      base_(std::move(base)),
      base_yaml_(std::move(base_yaml)),
      days_(days) {}

Choice Review::choice(std::size_t index) const {
  const auto found = choices_.find(key_of(suggestions().at(index)));
  return found == choices_.end() ? Choice::kOpen : found->second;
}

ReviewCounts Review::counts() const {
  ReviewCounts out;
  for (std::size_t i = 0; i < suggestions().size(); ++i) {
    const Choice one = choice(i);
    ++(one == Choice::kAccepted   ? out.accepted
       : one == Choice::kRejected ? out.rejected
                                  : out.open);
  }
  return out;
}

Result<std::string> Review::yaml_with(const Suggestion* one_more) const {
  std::vector<const Suggestion*> accepted;
  for (std::size_t i = 0; i < suggestions().size(); ++i) {
    const Suggestion& one = suggestions()[i];
    if (choice(i) == Choice::kAccepted || &one == one_more) accepted.push_back(&one);
  }
  const ReviewCounts all = counts();
  return extend_policy(
      base_yaml_, accepted,
      provenance_header(days_, base_->sha256()) +
          fmt::format("# reviewed: {} of {} suggestions accepted, {} rejected, {} left open\n",
                      all.accepted, suggestions().size(), all.rejected, all.open));
}

Result<std::string> Review::yaml() const { return yaml_with(nullptr); }

Result<void> Review::may_accept(const Suggestion& one) const {
  if (one.held == Held::kRisk)
    return fail(ErrorCode::kInvalidInput, "can't be accepted here: " + one.why_not);
  auto yaml = yaml_with(&one);
  if (!yaml) return pass_error(yaml);
  const rules::PolicyLoad load = rules::load_policy(*yaml, "reviewed policy");
  if (!load.policy) return fail(ErrorCode::kInvalidInput, "the policy would not load with it");
  // What too few had used was not asked for secrets before.
  if (const std::string secret = opened_secret(one, *base_, *load.policy); !secret.empty())
    return fail(ErrorCode::kInvalidInput, "can't be accepted: would open " + secret);
  return {};
}

Result<void> Review::choose(std::size_t index, Choice choice) {
  const Suggestion& one = suggestions().at(index);
  if (choice == Choice::kAccepted) {
    if (auto may = may_accept(one); !may) return may;
  }
  choices_[key_of(one)] = choice;
  return {};
}

std::string Review::decisions() const {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("lilith_review", kVersion).member("base", base_->sha256());
  writer.key("decisions").begin_array();
  for (const auto& [key, choice] : choices_) {
    if (choice == Choice::kOpen) continue;
    std::vector<std::string_view> parts;
    std::string_view rest = key;
    for (std::size_t at; (at = rest.find('\x1F')) != std::string_view::npos;) {
      parts.push_back(rest.substr(0, at));
      rest.remove_prefix(at + 1);
    }
    writer.begin_object().member("kind", parts.at(0)).member("value", parts.at(1));
    writer.key("port").raw(parts.at(2));
    writer.member("protocol", rest).member("choice", name(choice)).end_object();
  }
  writer.end_array().end_object();
  out.push_back('\n');
  return out;
}

Result<std::vector<std::string>> Review::resume(std::string_view decisions) {
  json::Document document;
  auto root = document.parse(decisions);
  if (!root) return pass_error(root);
  const auto version = root->find("lilith_review");
  const auto list = root->find("decisions");
  if (!version || version->integer() != kVersion || !list || !list->is_array())
    return fail(ErrorCode::kInvalidInput, "is no list of decisions of `lilith replay review`");
  std::map<std::string, Choice> read;
  bool good = true;
  list->each_element([&](json::View one) {
    const auto choice = choice_named(one.text("choice"));
    const auto port = one.find("port");
    good = choice && port && port->integer() && !one.text("kind").empty();
    if (good)
      read[key_of(one.text("kind"), one.text("value"), *port->integer(), one.text("protocol"))] =
          *choice;
    return good;
  });
  if (!good) return fail(ErrorCode::kInvalidInput, "holds a decision that can't be read");
  choices_ = read;
  std::vector<std::string> reopened;
  for (std::size_t i = 0; i < suggestions().size(); ++i) {
    const Suggestion& one = suggestions()[i];
    if (choice(i) != Choice::kAccepted) continue;
    choices_.erase(key_of(one));
    if (auto chosen = choose(i, Choice::kAccepted); !chosen)
      reopened.push_back(label_of(one) + ": " + chosen.error().message);
  }
  return reopened;
}

std::string entry_line(const Review& review, std::size_t index) {
  const Suggestion& one = review.suggestions()[index];
  const Choice choice = review.choice(index);
  const std::string_view mark = choice == Choice::kAccepted   ? "[+]"
                                : choice == Choice::kRejected ? "[-]"
                                : one.held != Held::kNo       ? "[!]"
                                                              : "[ ]";
  std::string line = fmt::format("{} {:>3} {}", mark, index + 1, label_of(one));
  for (const std::string& risk : one.risks) line += " " + risk;
  return line;
}

std::vector<ScreenLine> render(const Review& review, std::size_t cursor, std::string_view message,
                               std::size_t rows, std::size_t columns) {
  std::vector<ScreenLine> out;
  const std::size_t entries = review.suggestions().size();
  const bool with_title = rows >= 3, with_keys = rows >= 2;
  const std::size_t details = rows >= kRowsForDetails ? kDetailRows : 0;
  if (with_title) {
    const ReviewCounts all = review.counts();
    out.push_back({cut(fmt::format("{} suggestions: {} accepted, {} rejected, {} open", entries,
                                   all.accepted, all.rejected, all.open),
                       columns),
                   ScreenLine::Tone::kTitle, false});
  }
  const std::size_t used = (with_title ? 1U : 0U) + (with_keys ? 1U : 0U) + details;
  const std::size_t list = rows > used ? rows - used : 0;
  // The selected entry in the middle, except at both ends.
  const std::size_t half = list / 2;
  std::size_t first = cursor > half ? cursor - half : 0;
  if (entries > list) first = std::min(first, entries - list);
  if (entries <= list) first = 0;
  for (std::size_t row = 0; row < list; ++row) {
    const std::size_t index = first + row;
    out.push_back(index < entries ? entry(review, index, index == cursor, columns) : ScreenLine());
  }
  if (details > 0) {
    std::string text;
    if (cursor < entries) {
      const Suggestion& one = review.suggestions()[cursor];
      text = evidence_of(one);
      if (!one.why_not.empty()) text += ". Left to a person: " + printable(one.why_not);
    }
    const auto lines = wrapped(text, columns, details);
    for (std::size_t row = 0; row < details; ++row) {
      out.emplace_back();
      if (row < lines.size()) out.back().text = lines[row];
    }
  }
  if (with_keys)
    out.push_back(
        {cut(message.empty() ? kKeys : message, columns), ScreenLine::Tone::kTitle, false});
  return out;
}

}  // namespace lilith::replay
