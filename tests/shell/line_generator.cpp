#include "tests/shell/line_generator.hpp"

#include <array>
#include <random>
#include <string_view>

namespace lilith::test {
namespace {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::string list(int depth) {
    std::string out = command(depth);
    for (std::size_t n = below(3); n-- > 0;) {
      constexpr std::array<std::string_view, 7> kJoints{"; ", " && ", " || ", " | ",
                                                        "\n", " & ",  " |& "};
      out += kJoints[below(kJoints.size())];
      out += command(depth);
    }
    return out;
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }

  std::string program() {
    std::string name = "p" + std::to_string(1 + below(9));
    switch (below(9)) {
      case 0:
        return "'" + name + "'";
      case 1:
        return "\\" + name;
      case 2:
        return name.substr(0, 1) + "\"" + name.substr(1) + "\"";
      case 3:
        return "$'\\x70'" + name.substr(1);
      case 4:
        return name.substr(0, 1) + "\\\n" + name.substr(1);
      default:
        return name;
    }
  }

  std::string value() {
    constexpr std::array<std::string_view, 8> kValues{
        "1", "2", "'a[$(p9)]'", "$x", "$((i+1))", "$(p8)", "'+a[$(p7)]'", "$((1))'+a[$(p6)]'"};
    return std::string(kValues[below(kValues.size())]);
  }

  std::string word(int depth) {
    const std::string inner = depth > 0 ? list(depth - 1) : program();
    switch (below(16)) {
      case 0:
        return "$(" + inner + ")";
      case 1:
        return "\"a $(" + inner + ") b\"";
      case 2:
        return "`" + program() + "`";
      case 3:
        return "<(" + inner + "\n)";
      case 4:
        return "${x:-$(" + inner + ")}";
      case 5:
        return "\"${x#$(" + program() + ")}\"";
      case 6:
        return "'$(p1)'";
      case 7:
        return "\\$\\(p1";
      case 8:
        return "$((i+1))";
      case 9:
        return "\"$x\"";
      case 10:
        return "$'\\'$(p2)'";
      case 11:
        return "a\\\nb";
      case 12:
        return "$(# )\n" + inner + ")";
      case 13:
        return "`p1 \\`p2\\``";
      case 14:
        return "\"`p3 \\\"\\`p4\\`\\\"`\"";
      default:
        return "w" + std::to_string(below(10));
    }
  }

  std::string simple(int depth) {
    constexpr std::array<std::string_view, 14> kBefore{
        "",     "",       "",         "",      "! ",   "time ",    "command ",
        "env ", "nohup ", "time -- ", "nice ", "i=3 ", "env A=1 ", "timeout 5 "};
    std::string out(kBefore[below(kBefore.size())]);
    out += program();
    for (std::size_t n = below(3); n-- > 0;) out += " " + word(depth);
    if (below(6) == 0) out += " >out.txt 2>&1";
    if (below(12) == 0) out += " <<< " + word(depth);
    return out;
  }

  std::string here_doc(int depth) {
    constexpr std::array<std::string_view, 4> kDelimiters{"E", "'E'", "\\E", "-E"};
    std::string body = depth > 0 ? word(depth - 1) : "`p5`";
    constexpr std::array<std::string_view, 5> kTails{"", "\\", "\\\\", " '", "\\\nE"};
    body += kTails[below(kTails.size())];
    return program() + " <<" + std::string(kDelimiters[below(kDelimiters.size())]) + "\n" + body +
           "\nE\n" + program();
  }

  // Shells and programs that take their commands from somewhere else than the line's own words.
  std::string indirect(int depth) {
    const std::string text = program() + " " + (depth > 0 ? word(depth - 1) : "w");
    switch (below(10)) {
      case 0:
        return "sh <<'S'\n" + text + "\n" + program() + "\nS\n" + program();
      case 1:
        return "bash -s <<\\S\n" + text + "\nS\n";
      case 2:
        return "echo " + program() + " | sh";
      case 3:
        return "bash <<< " + program();
      case 4:
        return "bash -euo pipefail -c 'p1; p2 && p3'";
      case 5:
        return "bash -c -x 'p4 | p5' p6";
      case 6:
        return "sh <<S\n" + text + "\nS\n";
      case 7:
        return "xargs " + program() + " <<< w1";
      case 8:
        return "find . -name f -exec " + program() + " {} \\;";
      default:
        return "x='p1'; sh -c '" + std::string(below(2) == 0 ? "p2 $(p3)" : "p2; eval p3") + "'";
    }
  }

  std::string stateful(int depth) {
    switch (below(12)) {
      case 0:
        return "i=" + value();
      case 1:
        return "x=" + value();
      case 2:
        return "echo $((i))";
      case 3:
        return "p" + std::to_string(1 + below(4)) + "() { " + list(depth > 0 ? depth - 1 : 0) +
               "\n}";
      case 4:
        return "unset p1";
      case 5:
        return "eval 'i=\"$x\"'";
      case 6:
        return "eval '" + std::string(below(2) == 0 ? "p1; p2" : "p3() { p4; }; p3") + "'";
      case 7:
        return "[[ $i -eq 1 ]]";
      case 8:
        return "[ -v \"$x\" ]";
      case 9:
        return "i+=" + value();
      case 10:
        return "printf -v i %s " + value();
      default:
        return ": ${i:=" + value() + "}";
    }
  }

  template <std::size_t N>
  std::string one_of(const std::array<std::string_view, N>& texts) {
    return std::string(texts[below(N)]);
  }

  // A loop whose variable names programs, in a body that may set it in another way.
  std::string word_loop() {
    constexpr std::array<std::string_view, 10> kWords{
        "p1 p2",        "p1 'p2 p3'", "{p1,p2}", "p6 p{7,8}",   "p1 sh",
        "p1 \"p2\" p3", "p1 *",       "-x p1",   "p1 env nice", "$(seq 2) p4"};
    constexpr std::array<std::string_view, 12> kUses{
        "$v",   "\"$v\" w1", "${v} w",  "${v%2}",       "p3 $v",        "\"p${v#p}\"",
        "`$v`", "$(\"$v\")", "nice $v", "sh -c \"$v\"", "\"${v##*p}\"", "p5 <<E\n$($v)\nE\n"};
    constexpr std::array<std::string_view, 30> kSets{"v=p9",
                                                     "read v <<< p8",
                                                     "for v in p7; do $v; done",
                                                     "printf -v v p6",
                                                     ": ${v:=p5}",
                                                     "(v=p9)",
                                                     "f",
                                                     "eval v=p8",
                                                     "unset v",
                                                     "declare -u v",
                                                     ": {v}>out.txt",
                                                     "IFS=p",
                                                     "export v=p6",
                                                     "[ -v 'a[v=1]' ]",
                                                     "mapfile v <<< p5",
                                                     "trap 'v=p9' DEBUG",
                                                     "v+=1",
                                                     "readonly v",
                                                     "[[ a =~ a ]] && v=p4",
                                                     "((v=1))",
                                                     ": $((v=1))",
                                                     "for ((v=0;v<1;v++)); do :; done",
                                                     "while read -r v; do $v; done <<< p6",
                                                     "select v in p5; do break; done <<< 1",
                                                     "break",
                                                     "{ v=p7; }",
                                                     "f() { v=p8; }",
                                                     "continue",
                                                     "if p1; then v=p9; fi",
                                                     "case a in a) v=p5;; esac"};
    std::string out = below(4) == 0 ? "f() { " + one_of(kSets) + "; }; " : "";
    out += "for v in " + one_of(kWords) + "; do ";
    for (std::size_t n = 1 + below(3); n-- > 0;) {
      out += (below(4) == 0 ? one_of(kSets) : one_of(kUses)) + "\n";
    }
    return out + "done";
  }

  // A function that runs what it is called with.
  std::string runner() {
    constexpr std::array<std::string_view, 20> kBodies{"\"$@\"",
                                                       "\"$@\"; \"$@\"",
                                                       "shift; \"$@\"",
                                                       "p1; \"$@\"",
                                                       "for n in 1 2; do \"$@\"; done",
                                                       "p2 | \"$@\"",
                                                       "shift 2; \"$@\"",
                                                       "p1 && shift; \"$@\"",
                                                       "shift; p2; shift; \"$@\"",
                                                       "(shift; \"$@\"); \"$@\"",
                                                       "while shift; do \"$@\"; done",
                                                       "env shift; \"$@\"",
                                                       "if \"$@\"; then shift; \"$@\"; fi",
                                                       "shift || \"$@\"",
                                                       "shift | p1; \"$@\"",
                                                       "local a=$1; shift; if \"$@\"; then p1; fi",
                                                       "\"$@\"; shift; \"$@\"",
                                                       "shift 9; \"$@\"",
                                                       "x=$(shift; \"$@\"); \"$@\"",
                                                       "command shift; \"$@\""};
    const std::string name = "r" + std::to_string(below(50));
    const std::string ran = below(4) == 0   ? "set -- " + program()
                            : below(2) == 0 ? "p1 p2 p3 " + simple(0)
                                            : simple(0);
    return name + "() { " + std::string(kBodies[below(kBodies.size())]) + "; }; " + name + " " +
           ran;
  }

  std::string command(int depth) {
    if (depth <= 0) return below(3) == 0 ? stateful(0) : simple(0);
    const auto body = [&] { return list(depth - 1); };
    switch (below(23)) {
      case 12:
      case 13:
        return indirect(depth);
      case 16:
        return "for ((j=0; j<2; j++)); do " + body() + "\ndone";
      case 17:
        return "select s in a b; do " + body() + "\nbreak; done <<< 1";
      case 18:
        return "while read -r l; do " + body() + "\nbreak; done < <(" + body() + "\n)";
      case 19:
        return runner();
      case 21:
        return word_loop();
      case 22:
        return "t=$(mktemp)\n" + body() + "\np1 > \"$t\" < \"$t.x\"; v=$t; p2 \"$v\"";
      case 20:
        return "a=(1 2); k=" + value() + "; : ${a[k]} ${a[$k]} $((${#x} + ${#a[@]}))";
      case 0:
        return "( " + body() + "\n)";
      case 1:
        return "{ " + body() + "\n}";
      case 2:
        return "if " + body() + "\nthen " + body() + "\nelse " + body() + "\nfi";
      case 3:
        return "for n in 1 2; do " + body() + "\ndone";
      case 4:
        return "for i in 1 " + value() + "; do " + body() + "\ndone";
      case 5:
        // Ends whatever the body's status is.
        return "while " + body() + "\nbreak; do " + body() + "\ndone";
      case 6:
        return "case a in (b) " + body() + "\n;; a|c) " + body() + "\n;; esac";
      case 7:
        return here_doc(depth);
      case 8:
        return "[[ a == $(" + body() + "\n) || b =~ (a|b) ]]";
      case 9:
        return "(" + body() + "\n) | " + command(depth - 1);
      case 10:
      case 11:
        return stateful(depth);
      default:
        return simple(depth);
    }
  }

  std::mt19937 random_;
};

}  // namespace

std::string generated_line(std::uint32_t seed) { return Generator(seed).list(2); }

}  // namespace lilith::test
