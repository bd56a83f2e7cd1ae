#include "replay/review_screen.hpp"

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <unistd.h>

#define NCURSES_NOMACROS
#include <curses.h>

namespace lilith::replay {
namespace {

constexpr short kGreen = 1, kRed = 2, kYellow = 3;

chtype look_of(const ScreenLine& line, bool colours) {
  chtype out = A_NORMAL;
  using Tone = ScreenLine::Tone;
  switch (line.tone) {
    case Tone::kPlain:
      break;
    case Tone::kTitle:
      out = A_BOLD;
      break;
    case Tone::kAccepted:
      if (colours) out = static_cast<chtype>(COLOR_PAIR(kGreen));
      break;
    case Tone::kRejected:
      if (colours) out = static_cast<chtype>(COLOR_PAIR(kRed));
      break;
    case Tone::kHeld:
      if (colours) out = static_cast<chtype>(COLOR_PAIR(kYellow));
      break;
  }
  return line.selected ? out | A_REVERSE : out;
}

}  // namespace

struct Screen::Terminal {
  SCREEN* screen = nullptr;
  bool colours = false;
};

Screen::Screen(std::unique_ptr<Terminal> terminal) : terminal_(std::move(terminal)) {}

std::unique_ptr<Screen> Screen::open() {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) return nullptr;
  std::setlocale(LC_CTYPE, "");
  auto terminal = std::make_unique<Terminal>();
  terminal->screen = ::newterm(nullptr, stdout, stdin);  // initscr() would end the program instead
  if (terminal->screen == nullptr) return nullptr;
  ::cbreak();
  ::noecho();
  ::keypad(stdscr, true);
  ::curs_set(0);
  // https://no-color.org
  const char* const no_colour = std::getenv("NO_COLOR");
  if ((no_colour == nullptr || *no_colour == 0) && ::has_colors() && ::start_color() == OK) {
    terminal->colours = true;
    ::use_default_colors();
    ::init_pair(kGreen, COLOR_GREEN, -1);
    ::init_pair(kRed, COLOR_RED, -1);
    ::init_pair(kYellow, COLOR_YELLOW, -1);
  }
  return std::unique_ptr<Screen>(new Screen(std::move(terminal)));
}

Screen::~Screen() {
  ::endwin();
  ::delscreen(terminal_->screen);
}

std::size_t Screen::rows() const {
  return static_cast<std::size_t>(std::max(0, ::getmaxy(stdscr)));
}
std::size_t Screen::columns() const {
  return static_cast<std::size_t>(std::max(0, ::getmaxx(stdscr)));
}

void Screen::draw(const std::vector<ScreenLine>& lines) {
  ::werase(stdscr);
  int row = 0;
  for (const ScreenLine& line : lines) {
    ::wattrset(stdscr, static_cast<int>(look_of(line, terminal_->colours)));
    ::wmove(stdscr, row++, 0);
    ::waddnstr(stdscr, line.text.data(), static_cast<int>(line.text.size()));
  }
  ::wattrset(stdscr, static_cast<int>(A_NORMAL));
  ::wrefresh(stdscr);
}

Press Screen::wait() {
  const int key = ::wgetch(stdscr);
  switch (key) {
    case ERR:
      return {Press::Key::kGone};
    case KEY_UP:
      return {Press::Key::kUp};
    case KEY_DOWN:
      return {Press::Key::kDown};
    case KEY_PPAGE:
      return {Press::Key::kPageUp};
    case KEY_NPAGE:
      return {Press::Key::kPageDown};
    case KEY_HOME:
      return {Press::Key::kFirst};
    case KEY_END:
      return {Press::Key::kLast};
    case KEY_RESIZE:
      return {Press::Key::kResized};
    default:
      return {Press::Key::kCharacter,
              key > 0 && key < 0x7F ? static_cast<char>(key) : static_cast<char>(0)};
  }
}

}  // namespace lilith::replay
