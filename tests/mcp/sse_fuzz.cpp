// A stream of events from bytes that nobody vouches for: read in pieces as whole, never a line end
// within a message, and never a last event id that would end a header.

#include "enforcer/mcp/message_output.hpp"
#include "enforcer/mcp/sse_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <tuple>

namespace {

using namespace lilith::enforcer::mcp;

struct Into final : SseReader::Handler {
  explicit Into(MessageOutput& output) : message(output) {}
  void on_data(std::string_view bytes) override { message.append(bytes); }
  void on_event(std::string_view type) override {
    ++events;
    types += std::string(type) + "\n";
    std::ignore = message.finish();
  }
  IncomingMessage message;
  std::string types;
  long events = 0;
};

struct Seen {
  std::string bytes, types, id;
  long events = 0;
};

Seen read(std::string_view stream, std::size_t step) {
  MessageOutput output;
  Into into(output);
  SseReader reader;
  for (std::size_t at = 0; at < stream.size(); at += step)
    reader.feed(stream.substr(at, step), into);
  std::ignore = into.message.discard();
  return {output.bytes, into.types, reader.last_event_id(), into.events};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  const Seen whole = read(stream, stream.size() + 1), pieces = read(stream, 1 + data[0] % 19);
  if (whole.bytes != pieces.bytes || whole.types != pieces.types || whole.id != pieces.id) {
    std::abort();
  }
  // Events of blanks are no messages; every other is one line.
  if (std::count(whole.bytes.begin(), whole.bytes.end(), '\n') > whole.events) std::abort();
  const auto ends_a_header = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (std::any_of(whole.id.begin(), whole.id.end(), ends_a_header)) std::abort();
  return 0;
}
