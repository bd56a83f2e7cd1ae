#include "audit/event.hpp"
