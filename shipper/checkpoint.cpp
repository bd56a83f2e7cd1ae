#include "shipper/checkpoint.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/file.hpp"
#include "audit/base/sha256.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"

#include <cstdio>
#include <filesystem>

namespace lilith::shipper {
namespace {

constexpr std::size_t kCheckpointBytesMax = std::size_t{1024} * 1024;
constexpr unsigned kFileMode = 0640;

std::string encode(const Cursors& cursors) {
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

Result<std::uint64_t> number(json::View object, std::string_view key) {
  const std::string text(object.text(key));
  if (text.empty() || text.size() > 20 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    return fail(ErrorCode::kInvalidInput, std::string(key) + " is no number");
  }
  return std::stoull(text);
}

Result<Cursors> decode(const std::string& text) {
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
    audit::Position position;
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
    out[std::string(one.text("source"))] = std::move(position);
    return true;
  });
  if (!status) return pass_error(status);
  return out;
}

}  // namespace

CheckpointFile::CheckpointFile(const std::string& directory, const std::string& sink)
    : path_(directory + "/" + sink + ".checkpoint.json"),
      previous_(directory + "/" + sink + ".checkpoint.1.json") {}

CheckpointLoad CheckpointFile::load() const {
  CheckpointLoad out;
  for (const std::string& path : {path_, previous_}) {
    auto content = read_file(path, kCheckpointBytesMax);
    if (!content && content.error().code == ErrorCode::kNotFound) continue;
    Result<Cursors> cursors = content ? decode(*content) : Result<Cursors>(pass_error(content));
    if (cursors) {
      out.cursors = std::move(*cursors);
      return out;
    }
    std::string aside = path + ".corrupt-" + format_time(system_clock().now());
    std::error_code ignored;
    std::filesystem::rename(path, aside, ignored);
    out.problem += (out.problem.empty() ? "" : "; ") + path + " cannot be used (" +
                   cursors.error().message + ") and was set aside as " + aside;
  }
  return out;
}

Result<void> CheckpointFile::save(const Cursors& cursors) const {
  // The last good one becomes the previous generation; between the two renames it is the only one.
  if (std::rename(path_.c_str(), previous_.c_str()) != 0 && errno != ENOENT) {
    return fail_errno("cannot keep " + previous_);
  }
  return replace_file(path_, encode(cursors), kFileMode);
}

CheckpointWriter::CheckpointWriter(CheckpointFile file, std::function<void(const Error&)> failed)
    : file_(std::move(file)), failed_(std::move(failed)), thread_([this] { run(); }) {}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::scoped_lock lock(mutex_);
    end_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void CheckpointWriter::post(Cursors cursors) {
  {
    const std::scoped_lock lock(mutex_);
    next_ = std::move(cursors);
  }
  changed_.notify_all();
}

void CheckpointWriter::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !next_ && !writing_; });
}

void CheckpointWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return next_ || end_; });
    if (!next_) return;
    const Cursors cursors = std::move(*next_);
    next_.reset();
    writing_ = true;
    lock.unlock();
    const auto saved = file_.save(cursors);
    owes_ = !saved;
    if (!saved) failed_(saved.error());
    lock.lock();
    writing_ = false;
    changed_.notify_all();
  }
}

}  // namespace lilith::shipper
