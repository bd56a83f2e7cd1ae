#include "audit/json/reader.hpp"
