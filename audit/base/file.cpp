#include "audit/base/file.hpp"
