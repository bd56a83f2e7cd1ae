#include "audit/base/sha256.hpp"
