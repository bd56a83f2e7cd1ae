#pragma once
// A terminal that lines are drawn on and keys come from: ncurses behind a wall.

#include "replay/review.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace lilith::replay {

struct Press {
  enum class Key {
    kCharacter,
    kUp,
    kDown,
    kPageUp,
    kPageDown,
    kFirst,
    kLast,
    kResized,
    kGone,  // the terminal was closed
  };
  Key key = Key::kCharacter;
  char character = 0;  // of kCharacter; 0 for what is no ASCII
};

class Screen {
 public:
  // Null when standard input or output is no terminal, or TERM names none that can be drawn on.
  [[nodiscard]] static std::unique_ptr<Screen> open();
  ~Screen();  // the terminal is as it was before
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  [[nodiscard]] std::size_t rows() const;
  [[nodiscard]] std::size_t columns() const;
  void draw(const std::vector<ScreenLine>& lines);
  [[nodiscard]] Press wait();

 private:
  struct Terminal;
  explicit Screen(std::unique_ptr<Terminal> terminal);
  std::unique_ptr<Terminal> terminal_;
};

}  // namespace lilith::replay
