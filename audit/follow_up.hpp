#pragma once

#include "audit/event.hpp"

namespace lilith::audit {

// An event that `cause` gives rise to: of the same agent, process, user, time and way of arrival,
// without a call, a decision or chain members.
[[nodiscard]] Event follow_up(const Event& cause, EventType type, Category category);

}  // namespace lilith::audit
