#include "enforcer/mcp/message_output.hpp"

#include "audit/base/limits.hpp"

#include <algorithm>
#include <utility>

namespace lilith::enforcer::mcp {

bool IncomingMessage::has_room() const {
  if (output_.bytes.size() > limits::kMcpQueueBytesMax) return false;
  if (output_.owner_ == nullptr || output_.owner_ == this) return true;
  // Behind another's message: that one must be able to go on.
  return output_.waiting_.size() <= limits::kMcpQueueBytesMax &&
         held_.size() <= limits::kMcpHttpHeldBytesMax;
}

void IncomingMessage::append(std::string_view bytes) {
  std::string piece(bytes);
  std::replace_if(piece.begin(), piece.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  blank_ = blank_ && piece.find_first_not_of(" \t") == std::string::npos;
  scanner_.feed(piece);
  if (streams_) {
    output_.bytes += piece;
    return;
  }
  held_ += piece;
  if (held_.size() <= limits::kMcpHttpHeldBytesMax || output_.owner_ != nullptr) return;
  streams_ = true;
  output_.owner_ = this;
  output_.bytes += std::exchange(held_, {});
}

IncomingMessage::Whole IncomingMessage::finish() {
  Whole whole;
  if (!blank_) {
    whole = {held_, scanner_.is_array(), !scanner_.has_method(), scanner_.id()};
    if (streams_) {
      output_.bytes += "\n" + std::exchange(output_.waiting_, {});
      output_.owner_ = nullptr;
    } else {
      (output_.owner_ == nullptr ? output_.bytes : output_.waiting_) += held_ + "\n";
    }
  }
  streams_ = false;
  held_.clear();
  blank_ = true;
  scanner_.reset();
  return whole;
}

bool IncomingMessage::discard() {
  if (streams_) return false;
  held_.clear();
  blank_ = true;
  scanner_.reset();
  return true;
}

}  // namespace lilith::enforcer::mcp
