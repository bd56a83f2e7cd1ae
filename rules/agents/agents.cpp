#include "rules/agents/agents.hpp"
