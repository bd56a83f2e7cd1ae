#include "rules/command.hpp"
