#include "tests/audit_read/log_fixture.hpp"

#include "tests/support/support.hpp"

#include <zlib.h>
#include <zstd.h>

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

namespace lilith::test {

std::string ChainWriter::line(audit::EventType type, std::string command,
                              std::vector<std::pair<std::string, std::string>> detail) {
  audit::Event event;
  event.type = type;
  event.decision = audit::Verdict::kAllow;
  event.action = audit::Action::kAllowed;
  event.process_key = host_ + "/4711/8823912";
  event.host = host_;
  event.seq = ++seq_;
  event.time = *parse_time("2026-11-24T00:20:42.831204Z");
  event.id = "0193-" + std::to_string(seq_);
  event.agent = "claude_code";
  event.tool = "Bash";
  event.operation.kind = audit::OperationKind::kRunCommand;
  event.operation.command = std::move(command);
  event.detail = std::move(detail);
  event.operations = 1;
  event.chain_id = id_;
  event.chain_prev = prev_;
  prev_ = audit::chain_hash(prev_, audit::encode(event));
  event.chain_hash = prev_;
  return audit::encode(event);
}

std::vector<std::string> ChainWriter::lines(std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(line());
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::string gzipped(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  std::string in(bytes);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd_compressed(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3);
  EXPECT_EQ(ZSTD_isError(size), 0U);
  out.resize(size);
  return out;
}

void compress_file(const std::string& path, std::string_view ending) {
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0) << path;
  const std::string bytes = read_text(path);
  const std::string target = path + std::string(ending);
  write_text(target, ending == ".gz" ? gzipped(bytes) : zstd_compressed(bytes));
  const timespec times[2] = {status.st_atim, status.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, target.c_str(), times, 0), 0);
  ASSERT_EQ(std::remove(path.c_str()), 0);
}

}  // namespace lilith::test
