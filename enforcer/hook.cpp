#include "rules/decide.hpp"
