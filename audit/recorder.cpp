#include "audit/recorder.hpp"
