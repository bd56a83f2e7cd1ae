#include "audit/follow_up.hpp"

namespace lilith::audit {

Event follow_up(const Event& cause, EventType type, Category category) {
  Event event;
  event.type = type;
  event.category = category;
  event.mode = cause.mode;
  event.enforcement = cause.enforcement;
  event.process_key = cause.process_key;
  event.process_pid = cause.process_pid;
  event.process_exe = cause.process_exe;
  event.host = cause.host;
  event.time = cause.time;
  event.policy_sha256 = cause.policy_sha256;
  event.agent = cause.agent;
  event.session = cause.session;
  event.facts.user = cause.facts.user;
  event.facts.uid = cause.facts.uid;
  event.engine = cause.engine;
  event.via = cause.via;
  event.peer_pid = cause.peer_pid;
  event.peer_uid = cause.peer_uid;
  return event;
}

}  // namespace lilith::audit
