#include "audit/base/text.hpp"
