#include "audit/base/clock.hpp"
