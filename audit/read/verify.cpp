#include "audit/read/verify.hpp"
