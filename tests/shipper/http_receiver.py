#!/usr/bin/env python3
"""An HTTP receiver for the shipper's tests: takes events as Elasticsearch's _bulk, Splunk's HTTP
event collector or plain NDJSON do, and answers as it is told on the command line.

Writes DIR/port, DIR/accepted (one event a line, as it came) and DIR/requests (one line a request:
path, Authorization, content type, count of events). While there is a file DIR/down, 503."""

import argparse
import http.server
import json
import pathlib


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--api", choices=["elasticsearch", "splunk-hec", "ndjson"], required=True)
    parser.add_argument("--first", default="",
                        help="STATUS[,STATUS...]: answers to the first requests, 0 for none at all")
    parser.add_argument("--retry-after", default="")
    parser.add_argument("--reject", action="append", default=[],
                        help="STATUS:TEXT: events with TEXT get that status")
    parser.add_argument("--reject-once", action="append", default=[], help="the same, the first time")
    parser.add_argument("--max-bytes", type=int, default=1 << 30, help="413 above")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    first = [int(status) for status in options.first.split(",") if status]
    rejects = [rule.split(":", 1) for rule in options.reject]
    once = [rule.split(":", 1) for rule in options.reject_once]
    seen = set()

    def verdict(event):
        for rule in rejects:
            if rule[1] in event:
                return int(rule[0])
        for rule in once:
            if rule[1] in event:
                once.remove(rule)
                return int(rule[0])
        return 201

    def accept(event):
        with open(options.dir / "accepted", "a") as out:
            out.write(event + "\n")

    def bulk(lines):
        items = []
        for head, event in zip(lines[0::2], lines[1::2]):
            identity = json.loads(head)["create"].get("_id")
            status = verdict(event)
            if status == 201 and identity in seen:
                status = 409
            if status == 201:
                seen.add(identity)
                accept(event)
            item = {"_id": identity, "status": status}
            if status != 201:
                item["error"] = {"type": "scripted", "reason": f"answer {status}"}
            items.append({"create": item})
        return 200, {"errors": any(i["create"]["status"] > 299 for i in items), "items": items
}

    def whole(lines):
        for line in lines:
            status = verdict(line)
            if status != 201:
                return status, {"text": f"answer {status}"}
        for line in lines:
            accept(line)
        return 200, {"text": "Success", "code": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            lines = body.splitlines()
            with open(options.dir / "requests", "a") as out:
                out.write(f"{self.path} {self.headers.get('Authorization', '-')} "
                          f"{self.headers.get('Content-Type')} {len(lines)}\n")
            status = first.pop(0) if first else -1
            if status == 0:
                self.close_connection = True
                return
            if (options.dir / "down").exists():
                status = 503
            if len(body) > options.max_bytes:
                status = 413
            if status == -1:
                status, answer = bulk(lines) if options.api == "elasticsearch" else whole(lines)
            else:
                answer = {"text": f"answer {status}"}
            text = json.dumps(answer).encode()
            self.send_response(status)
            if status in (429, 503) and options.retry_after:
                self.send_header("Retry-After", options.retry_after)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    port = options.dir / "port.tmp"
    port.write_text(str(server.server_address[1]))
    port.rename(options.dir / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
