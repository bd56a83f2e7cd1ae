#include "audit/json/writer.hpp"
