#include "audit/log.hpp"
