#include "audit/codec.hpp"
