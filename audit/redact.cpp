#include "audit/redact.hpp"
