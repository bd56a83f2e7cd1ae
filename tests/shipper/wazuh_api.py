#!/usr/bin/env python3
"""The part of a Wazuh manager's server API that the shipper uses, as its specification has it (wazuh/wazuh 4.9.2,
api/api/spec/spec.yaml): login for a token, POST /events with limits, results by event. HTTPS.

Writes DIR/port, DIR/events (what its engine would get, one a line) and DIR/requests (one line a request: path, status,
count of events)."""

import argparse
import base64
import http.server
import json
import pathlib
import ssl

EVENTS_MAX = 100


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--token-uses", type=int, default=1 << 30, help="requests until a token has expired")
    parser.add_argument("--deny", action="store_true", help="the user may not ingest events")
    parser.add_argument("--too-many", type=int, default=0, help="429 for so many requests, from the second on")
    parser.add_argument("--queue-full", default="", help="events from the first with this text fail, once")
    parser.add_argument("--refuse", default="", help="events with this text fail for good")
    options = parser.parse_args()
    state = {"token": 0, "uses": 0, "requests": 0, "too_many": options.too_many, "queue_full": options.queue_full}

    def ingest(events):
        taken, failed = [], {}
        for place, event in enumerate(events):
            if state["queue_full"] and state["queue_full"] in event:
                state["queue_full"] = ""
                failed.setdefault((1014, "Error communicating with socket"), []).extend(events[place:])
                break
            if options.refuse and options.refuse in event:
                failed.setdefault((1012, "Invalid message"), []).append(event)
            else:
                taken.append(event)
        with open(options.dir / "events", "a") as out:
            out.writelines(event + "\n" for event in taken)
        count = sum(map(len, failed.values()))
        return {"data": {"affected_items": taken, "total_affected_items": len(taken), "total_failed_items": count,
                         "failed_items": [{"error": {"code": code, "message": text}, "id": events}
                                          for (code, text), events in failed.items()]},
                "message": "Events were forwarded to analisysd", "error": 0 if not failed else 2 if taken else 1}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            count = 0
            if self.path == "/security/user/authenticate":
                status, answer = self.log_in()
            elif self.path == "/events":
                count = len(json.loads(body)["events"])
                status, answer = self.events(json.loads(body)["events"])
            else:
                status, answer = 404, {"title": "Not Found", "error": 404}
            with open(options.dir / "requests", "a") as out:
                out.write(f"{self.path} {status} {count}\n")
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_in(self):
            expected = "Basic " + base64.b64encode(b"shipper:s3cret").decode()
            if self.headers.get("Authorization") != expected:
                return 401, {"title": "Unauthorized", "detail": "Invalid credentials"}
            state["token"] += 1
            state["uses"] = 0
            return 200, {"data": {"token": f"jwt.{state['token']}"}, "error": 0}

        def events(self, events):
            state["requests"] += 1
            if state["too_many"] and state["requests"] > 1:
                state["too_many"] -= 1
                return 429, {"title": "Too Many Requests", "error": 6005}
            state["uses"] += 1
            if self.headers.get("Authorization") != f"Bearer jwt.{state['token']}" \
                    or state["uses"] > options.token_uses:
                return 401, {"title": "Unauthorized", "detail": "Invalid token"}
            if options.deny:
                return 403, {"title": "Permission Denied", "error": 4000}
            if len(events) > EVENTS_MAX:
                return 400, {"title": "Events bulk size exceeded"}
            return 200, ingest(events)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.dir / "server.pem", options.dir / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = options.dir / "port.tmp"
    port.write_text(str(server.server_address[1]))
    port.rename(options.dir / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
