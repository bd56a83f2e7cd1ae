#include "rules/shell/clients.hpp"
#include "rules/shell/line_reader.hpp"

namespace lilith::rules::shell {

void Reader::read_here_docs() {
  std::vector<HereDoc> pending;
  pending.swap(here_docs_);
  here_doc_behind_ = here_doc_behind_ || !pending.empty();
  for (const HereDoc& doc : pending) {
    const std::size_t from = at_;
    std::string body;
    for (;;) {
      if (end()) {
        refuse("command.unparsable",
               "the here-document has no line '" + printable(doc.delimiter) + "'");
      }
      std::string line = here_doc_line(doc.quoted);
      if (doc.strip_tabs) line.erase(0, std::min(line.find_first_not_of('\t'), line.size()));
      if (line == doc.delimiter) break;
      body += line;
      body.push_back('\n');
    }
    read_here_doc(doc, body, from);
  }
}

// What a database client would be told by its standard input.
void Reader::client_text(const std::string& client, const std::string& text, std::size_t offset) {
  std::vector<std::string> files;
  const std::string runs = client_script_runs(client, text, files);
  if (!runs.empty()) {
    line_hazard("command.exec_option", "'" + client + "' would run another program by " + runs,
                offset);
  }
  for (const std::string& file : files) {
    Word word;
    word.text = file;
    word.offset = offset;
    word.tilde = file.starts_with("~/");
    add_path(word, file, PathAccess::kWriteArgument);
  }
}

void Reader::read_here_doc(const HereDoc& doc, const std::string& body, std::size_t from) {
  const bool constant = doc.quoted || body.find_first_of("$`\\") == std::string::npos;
  if (!doc.quoted) expand_here_doc(body, from);
  if (doc.names) {
    const Directories directories = std::exchange(directories_, doc.directories);
    for (std::size_t at = 0; at < body.size();) {
      const std::size_t end = std::min(body.find_first_of(" \t\n", at), body.size());
      Word word;
      word.text = body.substr(at, end - at);
      word.offset = base_ + from;
      if (!word.text.empty() && word.text.size() <= limits::kPathBytesMax) {
        add_path(word, word.text, PathAccess::kArgument);
      }
      at = end + 1;
    }
    directories_ = directories;
  }
  if (!doc.client.empty()) client_text(doc.client, body, base_ + from);
  if (doc.script.empty()) return;
  Word text;
  text.text = body;
  text.constant = constant;
  text.offset = base_ + from;
  const Directories directories = std::exchange(directories_, doc.directories);
  nested_text(text, doc.look_through, false, doc.script);
  directories_ = directories;
}

// One line of a here-document. In an unquoted one a backslash joins lines before anything else, the
// look for the delimiter too (bash, read_secondary_line).
std::string Reader::here_doc_line(bool quoted) {
  std::string line;
  for (;;) {
    step();
    const std::size_t stop = std::min(s_.find('\n', at_), s_.size());
    line += s_.substr(at_, stop - at_);
    steps_ += stop - at_;
    at_ = std::min(stop + 1, s_.size());
    std::size_t slashes = 0;
    while (slashes < line.size() && line[line.size() - 1 - slashes] == '\\') ++slashes;
    if (quoted || slashes % 2 == 0 || stop == s_.size()) return line;
    line.pop_back();
  }
}

// The expansions of an unquoted body run; quotes in it mean nothing.
void Reader::expand_here_doc(std::string_view body, std::size_t offset) {
  Reader nested(body, out_, line_, base_ + offset, depth_);
  nested.inherit(*this);
  Word sink;
  while (!nested.end()) {
    nested.step();
    const char c = nested.peek();
    if (c == '\\') {
      nested.at_ = std::min(nested.at_ + 2, body.size());
    } else if (c == '$') {
      nested.dollar(sink, true);
    } else if (c == '`') {
      nested.backticks(sink, true);
    } else {
      ++nested.at_;
    }
  }
  if (!nested.here_docs_.empty())
    refuse("command.unparsable", "a here-document inside another has no end");
  give_back(nested, true);  // ${x:=y} in a body sets x for good
}

}  // namespace lilith::rules::shell
