#include "audit/cursors.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"

#include <algorithm>
#include <charconv>

namespace lilith::audit {
namespace {

constexpr std::string_view kEnding = ".checkpoint.json", kEndingBefore = ".checkpoint.1.json";

Result<std::uint64_t> number(json::View object, std::string_view key) {
  const std::string_view text = object.text(key);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return fail(ErrorCode::kInvalidInput, std::string(key) + " is no number");
  }
  return value;
}

// Of one sink. While the shipper replaces a checkpoint only the generation before is there.
Result<Cursors> read_cursors(const std::string& state_dir, const std::string& sink) {
  auto text = read_file(checkpoint_path(state_dir, sink), limits::kCheckpointBytesMax);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    text = read_file(checkpoint_before_path(state_dir, sink), limits::kCheckpointBytesMax);
  }
  if (!text) return pass_error(text);
  return cursors_from_text(*text);
}

}  // namespace

std::string cursors_to_text(const Cursors& cursors) {
  std::string body;
  json::Writer writer(body);
  writer.begin_array();
  for (const auto& [source, position] : cursors) {
    writer.begin_object();
    writer.member("source", source);
    writer.member("device", std::to_string(position.device));
    writer.member("inode", std::to_string(position.inode));
    writer.member("offset", std::to_string(position.offset));
    writer.member("first_line_sha256", position.first_line_sha256);
    writer.member("last_line_sha256", position.last_line_sha256);
    writer.member("seq", std::to_string(position.seq));
    writer.member("chain_id", position.chain_id);
    if (!position.withheld.seqs.empty()) {
      writer.key("withheld").begin_object();
      writer.member("chain", position.withheld.chain_id).member("host", position.withheld.host);
      writer.member("seqs", position.withheld.seqs).end_object();
    }
    writer.end_object();
  }
  writer.end_array();
  std::string out;
  json::Writer whole(out);
  whole.begin_object().member("version", 1).member("sha256", sha256_hex(body));
  whole.key("cursors").raw(body).end_object();
  out.push_back('\n');
  return out;
}

Result<Cursors> cursors_from_text(const std::string& text) {
  json::Document document;
  const auto root = document.parse(text);
  if (!root) return fail(ErrorCode::kInvalidInput, root.error().message);
  const auto cursors = root->find("cursors");
  if (!cursors || sha256_hex(cursors->to_json()) != root->text("sha256")) {
    return fail(ErrorCode::kInvalidInput, "its content does not give its checksum");
  }
  Cursors out;
  Result<void> status;
  cursors->each_element([&](json::View one) {
    Cursor position;
    for (auto [key, into] : {std::pair{"device", &position.device},
                             {"inode", &position.inode},
                             {"offset", &position.offset},
                             {"seq", &position.seq}}) {
      auto value = number(one, key);
      if (!value) {
        status = pass_error(value);
        return false;
      }
      *into = *value;
    }
    position.first_line_sha256 = one.text("first_line_sha256");
    position.last_line_sha256 = one.text("last_line_sha256");
    position.chain_id = one.text("chain_id");
    if (const auto withheld = one.find("withheld")) {
      position.withheld = {std::string(withheld->text("chain")),
                           std::string(withheld->text("host")),
                           std::string(withheld->text("seqs"))};
    }
    out[std::string(one.text("source"))] = std::move(position);
    return true;
  });
  if (!status) return pass_error(status);
  return out;
}

std::string checkpoint_path(const std::string& state_dir, std::string_view sink) {
  return state_dir + "/" + std::string(sink) + std::string(kEnding);
}

std::string checkpoint_before_path(const std::string& state_dir, std::string_view sink) {
  return state_dir + "/" + std::string(sink) + std::string(kEndingBefore);
}

Result<std::set<std::string>> sinks_with_checkpoints(const std::string& state_dir) {
  auto names = names_in(state_dir);
  if (!names) return pass_error(names);
  std::set<std::string> found;
  for (std::string& name : *names) {
    for (const std::string_view ending : {kEnding, kEndingBefore}) {
      if (!name.ends_with(ending)) continue;
      name.resize(name.size() - ending.size());
      found.insert(std::move(name));
      break;
    }
  }
  return found;
}

Delivered Delivered::read(const std::string& state_dir, const std::string& log,
                          const std::string& sink) {
  Delivered out;
  const auto sinks = sink.empty() ? sinks_with_checkpoints(state_dir)
                                  : Result<std::set<std::string>>(std::set{sink});
  if (!sinks) return out;
  for (const std::string& one : *sinks) {
    out.cursors_.emplace_back();
    const auto cursors = read_cursors(state_dir, one);
    if (!cursors) continue;
    const auto found = cursors->find(log);
    if (found != cursors->end()) out.cursors_.back() = found->second;
  }
  return out;
}

bool Delivered::up_to(std::string_view chain_id, std::uint64_t seq) const {
  return !cursors_.empty() &&
         std::all_of(cursors_.begin(), cursors_.end(), [&](const Position& cursor) {
           return cursor.chain_id == chain_id && cursor.seq >= seq;
         });
}

}  // namespace lilith::audit
