#include "audit/read/reader.hpp"
