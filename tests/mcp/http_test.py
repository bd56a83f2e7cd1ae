"""`lilith mcp --url` in front of a server whose every answer is scripted: sessions, streams that break, and what a
server should not send. Real servers are in run_client.py."""

import argparse
import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

SECONDS = 60
REQUESTS_MAX = 64  # that wait for an answer (kMcpHttpRequestsMax)
# Below the 32 MB that go through: held whole they would not fit.
PEAK_KIB_MAX = 30 * 1024
LILITH = None

POLICY = """version: "1"
egress:
  default_action: {egress}
  allowed_destinations: [{{host: "{host}", ports: [{port}], protocols: [http, https]}}]
tool_invocations:
  default_action: deny
  allowed_tools: [{{name: mcp__demo__echo}}]
audit: {{enabled: true, log_path: "{folder}/log/agent-audit.log"}}
"""
INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number, tool="echo", **arguments):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def result(number, text="done"):
    return {"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": text}]}}


def event(message, number=None):
    lines = [] if number is None else [f"id: {number}"]
    return "\n".join([*lines, "data: " + json.dumps(message), "", ""]).encode()


class Exchange:
    """One request as the script sees it, and the ways to answer it."""

    def __init__(self, handler, body):
        self.handler, self.method, self.body = handler, handler.command, body
        self.path = handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.message = json.loads(body) if body else {}

    def head(self, status, kind=None, length=None, **headers):
        self.handler.send_response(status)
        if kind:
            self.handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        if length is None:
            self.handler.send_header("Connection", "close")
            self.handler.close_connection = True
        else:
            self.handler.send_header("Content-Length", str(length))
        self.handler.end_headers()

    def whole(self, status, kind=None, body=b"", **headers):
        self.head(status, kind, len(body), **headers)
        self.write(body)

    def json(self, message, **headers):
        # Spread over lines, as JSON may be.
        self.whole(200, "application/json; charset=utf-8", json.dumps(message, indent=1).encode(), **headers)

    def events(self, *parts):
        self.head(200, "text/event-stream")
        for part in parts:
            self.write(part)

    def write(self, part):
        try:
            self.handler.wfile.write(part)
            self.handler.wfile.flush()
        except OSError:
            pass  # the other side has gone: some scripts want that

    def hang_up(self):
        self.handler.close_connection = True

    def greet(self, session="s-1"):
        self.json({"jsonrpc": "2.0", "id": self.message["id"], "result": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}},
            Mcp_Session_Id=session)


class Server:
    """Greets, takes notifications, has no stream of its own; `script` answers the rest."""

    def __init__(self, script, certificate=None):
        self.seen, self.lock = [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self):
                exchange = Exchange(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))
                with outer.lock:
                    outer.seen.append(exchange)
                if script(exchange) is not None:
                    return
                if exchange.message.get("method") == "initialize":
                    exchange.greet()
                elif exchange.method == "GET":
                    exchange.whole(405)
                else:
                    exchange.whole(202 if exchange.method == "POST" else 200)

            do_GET = do_POST = do_DELETE = answer

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # clients that go away are part of the tests
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def requests(self, method):
        with self.lock:
            return [one for one in self.seen if one.method == method]


class Proxy:
    """`lilith mcp` as a client's child."""

    def __init__(self, folder, port, *options, url=None, host="127.0.0.1", egress="deny", environment=None):
        self.folder = folder
        policy = folder / "policy.yaml"
        policy.write_text(POLICY.format(host=host, port=port, folder=folder, egress=egress))
        self.process = subprocess.Popen(
            [LILITH, "mcp", "--server", "demo", "--policy", policy, *options, "--url",
             url or f"http://{host}:{port}/mcp"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
                 **(environment or {})})
        self.lines = queue.Queue()
        self.errors = []
        self.readers = [threading.Thread(target=self.read_out), threading.Thread(target=self.read_errors)]
        for reader in self.readers:
            reader.start()

    def read_out(self):
        for line in self.process.stdout:
            if line.endswith(b"\n"):  # what has no end is no message
                self.lines.put(line)
        self.lines.put(None)

    def read_errors(self):
        self.errors.append(self.process.stderr.read().decode())

    def say(self, *messages):
        for message in messages:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self):
        line = self.lines.get(timeout=SECONDS)
        return None if line is None else json.loads(line)

    def shake_hands(self):
        self.say(INITIALIZE)
        answer = self.hear()
        self.say(INITIALIZED)
        return answer

    def end(self):
        if self.process.stdin:
            self.process.stdin.close()
        code = self.process.wait(timeout=SECONDS)
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def decisions(self):
        lines = (self.folder / "log" / "agent-audit.log").read_text().splitlines()
        return [one for one in map(json.loads, lines) if one["lilith"]["event"] == "decision"]

    def bridge_peak_kib(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{children[0]}/status").read_text()).group(1))


class SseServer:
    """A script for `Server`: a server of 2024-11-05, which says everything by the stream of GET /mcp. `answer` gets
    each call and gives the messages that the stream says then; None in `stream` ends it."""

    def __init__(self, answer=None, endpoint="/messages?session=1"):
        self.answer, self.endpoint, self.stream = answer, endpoint, queue.Queue()

    def __call__(self, one):
        if one.method == "POST" and one.path == "/mcp":
            one.whole(404, "text/html", b"Cannot POST /mcp")
        elif one.method == "GET":
            one.events(b": hello\n\n", f"event: endpoint\ndata: {self.endpoint}\n\n".encode())
            while (message := self.stream.get()) is not None:
                one.write(b"event: message\n" + event(message))
        elif one.message.get("method") == "initialize":
            one.whole(202, "text/plain", b"Accepted")
            self.stream.put({"jsonrpc": "2.0", "id": one.message["id"], "result": {
                "protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}})
        elif one.message.get("method") == "tools/call" and self.answer:
            for message in self.answer(one) or ():
                self.stream.put(message)
        else:
            one.whole(202)
        return True

    def speak(self, *messages):
        for message in messages:
            self.stream.put(message)


class HttpTest(unittest.TestCase):
    def setUp(self):
        root = tempfile.TemporaryDirectory()
        self.addCleanup(root.cleanup)
        self.folder = pathlib.Path(root.name).resolve()

    def start(self, script, *options, **more):
        server = Server(script)
        self.addCleanup(server.close)
        proxy = Proxy(self.folder, server.port, *options, **more)
        self.addCleanup(proxy.process.kill)
        return server, proxy

    def answer_to_call(self, script, *options):
        """What a client sees of call 1 when the script answers it."""
        server, proxy = self.start(lambda one: script(one) if one.message.get("method") == "tools/call" else None,
                                   *options)
        proxy.shake_hands()
        proxy.say(call(1))
        answer = proxy.hear()
        return answer, server, proxy

    # ---- what is passed on

    def test_a_session_from_handshake_to_delete(self):
        def script(one):
            if one.message.get("method") == "tools/call":
                one.json(result(1))
                return True

        server, proxy = self.start(script)
        self.assertEqual(proxy.shake_hands()["result"]["protocolVersion"], "2025-11-25")
        proxy.say(call(1), call(2, "other"))
        answers = sorted([proxy.hear(), proxy.hear()], key=lambda one: one["id"])
        self.assertEqual(answers[0], result(1))
        self.assertTrue(answers[1]["result"]["isError"])
        self.assertEqual(proxy.end(), 0)
        posts = server.requests("POST")
        self.assertEqual([one.message["method"] for one in posts],
                         ["initialize", "notifications/initialized", "tools/call"])
        self.assertEqual(posts[0].headers["accept"], "application/json, text/event-stream")
        self.assertNotIn("mcp-session-id", posts[0].headers)
        for one in [*posts[1:], *server.requests("DELETE")]:
            self.assertEqual((one.headers["mcp-session-id"], one.headers["mcp-protocol-version"]),
                             ("s-1", "2025-11-25"))
        self.assertEqual(len(server.requests("DELETE")), 1)
        self.assertEqual([(one["action"], one["category"]) for one in proxy.decisions()],
                         [("allowed", "egress"), ("allowed", "tool_invocation"), ("denied", "tool_invocation")])

    def test_messages_of_the_server_come_in_any_form_of_event(self):
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}}
        text = json.dumps(result(1), indent=1)
        data = "".join(f"data:{line}\r\n" for line in text.splitlines())
        server, proxy = self.start(lambda one: one.events(
            b"\xef\xbb\xbf: a comment\n\nevent: ping\ndata: not for us\n\nretry: x\n", event(note), b"data:\n\n",
            data.encode(), b"\r\n") or True if one.message.get("method") == "tools/call" else None)
        proxy.shake_hands()
        proxy.say(call(1))
        self.assertEqual([proxy.hear(), proxy.hear()], [note, result(1)])
        self.assertEqual(proxy.end(), 0)

    def test_the_servers_own_stream_is_listened_to_and_taken_up_where_it_broke(self):
        asked = {"jsonrpc": "2.0", "id": "q", "method": "roots/list"}
        note = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        streams = []

        def script(one):
            if one.method != "GET":
                return None
            streams.append(one.headers.get("last-event-id"))
            if len(streams) == 1:
                # The second event is cut off, and comes again.
                one.events(b"retry: 50\n", event(asked, 7), event(note, 8)[:-20])
            elif len(streams) == 2:
                one.events(event(note, 8))
            else:
                one.whole(405)
            return True

        server, proxy = self.start(script)
        proxy.shake_hands()
        self.assertEqual(proxy.hear(), asked)
        proxy.say({"jsonrpc": "2.0", "id": "q", "result": {"roots": []}})
        self.assertEqual(proxy.hear(), note)
        self.assertEqual(proxy.end(), 0)
        self.assertEqual(streams[:2], [None, "7"])
        self.assertIn("q", [one.message.get("id") for one in server.requests("POST")])

    def test_an_answer_is_fetched_after_its_stream_broke(self):
        def script(one):
            if one.message.get("method") == "tools/call":
                one.events(b"id: 41\nretry: 50\ndata:\n\n")
            elif one.method == "GET" and one.headers.get("last-event-id") == "41":
                one.events(event(result(1), 42))
            else:
                return None
            return True

        server, proxy = self.start(script)
        proxy.shake_hands()
        proxy.say(call(1))
        self.assertEqual(proxy.hear(), result(1))
        self.assertEqual(proxy.end(), 0)
        self.assertEqual(len([one for one in server.requests("POST") if one.message["method"] == "tools/call"]), 1)

    def test_a_session_that_the_server_ended_is_begun_again_unseen(self):
        sessions = []

        def script(one):
            if one.message.get("method") == "initialize":
                sessions.append(f"s-{len(sessions) + 1}")
                one.greet(sessions[-1])
            elif one.message.get("method") != "tools/call":
                return None
            elif one.headers["mcp-session-id"] == "s-1":
                one.whole(404)
            else:
                one.json(result(1))
            return True

        server, proxy = self.start(script)
        proxy.shake_hands()
        proxy.say(call(1))
        self.assertEqual(proxy.hear(), result(1))
        self.assertEqual(proxy.end(), 0)
        self.assertIsNone(proxy.hear(), "the second handshake is nothing for the client")
        self.assertEqual(sessions, ["s-1", "s-2"])
        self.assertEqual(server.requests("DELETE")[0].headers["mcp-session-id"], "s-2")

    def test_a_server_that_knows_no_session_is_not_asked_for_ever(self):
        answer, server, proxy = self.answer_to_call(lambda one: one.whole(404) or True)
        self.assertIn("ended the session", answer["error"]["message"])
        self.assertEqual(proxy.end(), 0)
        self.assertEqual(len([one for one in server.requests("POST") if one.message["method"] == "tools/call"]), 2)

    def test_the_client_is_heard_while_an_answer_is_awaited(self):
        told = threading.Event()

        def script(one):
            if one.message.get("method") == "notifications/cancelled":
                told.set()
            if one.message.get("method") != "tools/call":
                return None
            one.head(200, "text/event-stream")
            one.write(event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}))
            told.wait(SECONDS)
            one.write(event(result(1, "late")))
            return True

        _, proxy = self.start(script)
        proxy.shake_hands()
        proxy.say(call(1))
        self.assertEqual(proxy.hear()["method"], "notifications/progress")
        proxy.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
        self.assertEqual(proxy.hear(), result(1, "late"))
        self.assertEqual(proxy.end(), 0)

    def test_an_event_of_32_mb_streams_through(self):
        size = 32_000_000

        def script(one):
            one.head(200, "text/event-stream")
            text = event(result(1, "x" * size))
            for at in range(0, len(text), 1 << 20):
                one.write(text[at:at + (1 << 20)])
            return True

        answer, _, proxy = self.answer_to_call(script)
        self.assertEqual(len(answer["result"]["content"][0]["text"]), size)
        peak = proxy.bridge_peak_kib()
        print(f"peak memory of the HTTP side: {peak} KiB for an event of 32 MB")
        if not os.environ.get("LILITH_SANITIZE"):  # whose shadow memory is none of the program's
            self.assertLess(peak, PEAK_KIB_MAX)
        self.assertEqual(proxy.end(), 0)

    def test_a_long_message_of_the_servers_own_is_heard_to_its_end_when_the_client_closes(self):
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x" * 1_000_000}}
        half, rest = threading.Event(), threading.Event()

        def script(one):
            if one.method != "GET":
                return None
            text = event(note)
            one.events(text[:600_000])
            half.set()
            rest.wait(SECONDS)
            one.write(text[600_000:])
            rest.wait(SECONDS)
            return True

        _, proxy = self.start(script)
        proxy.shake_hands()
        self.assertTrue(half.wait(SECONDS))
        proxy.process.stdin.close()
        rest.set()
        self.assertEqual(proxy.hear(), note)
        self.assertEqual(proxy.end(), 0)

    # ---- what is refused or goes wrong

    def test_what_is_no_answer_is_told_to_the_client(self):
        error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no such thing"}}
        cases = {
            "a stream without the answer": (lambda one: one.events(b": nothing\n\n"), "stream ended before the answer"),
            "half an event": (lambda one: one.events(event(result(1))[:-5]), "stream ended before the answer"),
            "an event of another type": (lambda one: one.events(b"event: x\n", event(result(1))), "before the answer"),
            "half a body": (
                lambda one: (one.head(200, "application/json", 500), one.write(b'{"jsonrpc"'), one.hang_up()),
                "could not be asked"),
            "an empty body": (lambda one: one.whole(200, "application/json"), "gave no answer"),
            "202 for a request": (lambda one: one.whole(202), "gave no answer"),
            "a web page": (lambda one: one.whole(200, "text/html", b"<html>"), "gave no answer"),
            "500": (lambda one: one.whole(500, "text/plain", b"oh\x1b[31m"), "500: oh\\x1b[31m"),
            "401": (lambda one: one.whole(401, WWW_Authenticate='Bearer realm="x"'), 'asks for Bearer realm="x"'),
            "a redirect": (lambda one: one.whole(307, Location="http://127.0.0.1:1/mcp"), "which --url does not name"),
            "an error of JSON-RPC": (lambda one: one.whole(400, "application/json", json.dumps(error).encode()),
                                     "no such thing"),
        }
        for name, (script, expected) in cases.items():
            with self.subTest(name):
                answer, _, proxy = self.answer_to_call(lambda one, script=script: script(one) or True)
                self.assertEqual(answer["id"], 1)
                self.assertIn(expected, answer["error"]["message"])
                self.assertEqual(proxy.end(), 0)
                self.assertIsNone(proxy.hear())

    def test_a_long_message_that_breaks_off_ends_the_session_without_a_line(self):
        answer, _, proxy = self.answer_to_call(
            lambda one: one.events(b'data: {"jsonrpc":"2.0","id":1,"result":{"x":"' + b"y" * 3_000_000) or True)
        self.assertIsNone(answer)
        self.assertEqual(proxy.end(), 1)
        self.assertIn("broke off within a message", proxy.errors[0])

    def test_a_session_id_that_fits_no_header_ends_the_session(self):
        _, proxy = self.start(lambda one: one.greet("a b") or True
                              if one.message.get("method") == "initialize" else None)
        proxy.say(INITIALIZE)
        proxy.hear()
        self.assertEqual(proxy.end(), 1)
        self.assertIn("session id", proxy.errors[0])

    # ---- HTTP+SSE, which is older

    def test_a_server_that_speaks_by_one_stream_is_found_out(self):
        asked = {"jsonrpc": "2.0", "id": "q", "method": "roots/list"}

        def answer(one):
            one.json({"what": "is no message"})
            return [asked, result(one.message["id"])]

        for endpoint in ("/messages?session=1", "messages?session=1", "http://127.0.0.1:{port}/messages?session=1"):
            with self.subTest(endpoint):
                script = SseServer(answer)
                server, proxy = self.start(script, "--header", "Authorization: Bearer x")
                script.endpoint = endpoint.replace("{port}", str(server.port))
                self.assertEqual(proxy.shake_hands()["result"]["protocolVersion"], "2024-11-05")
                proxy.say(call(1), call(2, "other"))
                heard = [proxy.hear() for _ in range(3)]
                self.assertIn(asked, heard)
                self.assertIn(result(1), heard)
                self.assertTrue(next(one for one in heard if one["id"] == 2)["result"]["isError"], "it is denied")
                proxy.say({"jsonrpc": "2.0", "id": "q", "result": {"roots": []}})
                self.assertEqual(proxy.end(), 0)
                script.stream.put(None)
                posts = server.requests("POST")
                self.assertEqual([one.path for one in posts], ["/mcp"] + ["/messages?session=1"] * 4)
                self.assertEqual([one.message.get("method") for one in posts],
                                 ["initialize", "initialize", "notifications/initialized", "tools/call", None])
                self.assertEqual({one.headers["authorization"] for one in server.seen}, {"Bearer x"})
                self.assertEqual(server.requests("DELETE"), [])

    def test_what_was_asked_is_answered_after_the_client_has_closed(self):
        asked = threading.Event()

        def answer(one):
            one.whole(202)
            asked.set()

        script = SseServer(answer)
        _, proxy = self.start(script)
        proxy.shake_hands()
        proxy.say(call(1))
        proxy.process.stdin.close()
        self.assertTrue(asked.wait(SECONDS))
        script.stream.put(result(1))
        self.assertEqual(proxy.hear(), result(1))
        self.assertEqual(proxy.end(), 0)
        script.stream.put(None)

    def test_a_call_is_answered_once_however_its_message_is_acknowledged(self):
        error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no such thing"}}
        script = SseServer()

        def held(one):  # acknowledged when the tool is done
            script.speak(result(1))
            one.whole(200)

        def cut(one):
            one.head(202, "text/plain", 10)
            one.write(b"Acc")
            one.hang_up()
            script.speak(result(1))

        ways = {"behind its answer": (held, result(1)), "in part": (cut, result(1)),
                "with an error of JSON-RPC": (lambda one: one.whole(400, "application/json",
                                                                    json.dumps(error).encode()), error)}
        for name, (answer, expected) in ways.items():
            with self.subTest(name):
                script = SseServer(answer)
                _, proxy = self.start(script)
                proxy.shake_hands()
                proxy.say(call(1))
                self.assertEqual(proxy.hear(), expected)
                self.assertEqual(proxy.end(), 0)
                self.assertIsNone(proxy.hear())
                script.stream.put(None)

    def test_a_cancelled_call_is_awaited_no_more(self):
        script = SseServer(lambda one: one.whole(202) or [result(100)] * (one.message["id"] == 100))
        cancelled = queue.Queue()

        def see(one):
            script(one)
            if one.message.get("method") == "notifications/cancelled":
                cancelled.put(one.message["params"]["requestId"])
            return True

        _, proxy = self.start(see)
        proxy.shake_hands()
        for number in range(1, REQUESTS_MAX + 10):
            proxy.say(call(number), {"jsonrpc": "2.0", "method": "notifications/cancelled",
                                     "params": {"requestId": number}})
            self.assertEqual(cancelled.get(timeout=SECONDS), number)
        proxy.say(call(100))
        self.assertEqual(proxy.hear(), result(100))
        self.assertEqual(proxy.end(), 0)
        script.stream.put(None)

    def test_a_batch_answers_what_it_names(self):
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}}
        script = SseServer(lambda one: one.whole(202) or ([[note]] if one.message["id"] == 1 else []))
        _, proxy = self.start(script)
        proxy.shake_hands()
        proxy.say(call(1), call(2))
        self.assertEqual(proxy.hear(), [note])
        proxy.process.stdin.close()
        script.speak([result(2), note], result(1))
        self.assertEqual([proxy.hear(), proxy.hear()], [[result(2), note], result(1)])
        self.assertEqual(proxy.end(), 0)
        script.stream.put(None)

    def test_a_body_that_only_looks_like_an_error_of_json_rpc_is_none(self):
        script = SseServer(lambda one: one.whole(202) or [result(1)])
        body = json.dumps({"timestamp": 1, "status": 405, "error": "Method Not Allowed", "path": "/mcp"}).encode()

        def refuse(one):
            if one.method == "POST" and one.path == "/mcp":
                return one.whole(405, "application/json", body) or True
            return script(one)

        _, proxy = self.start(refuse)
        self.assertEqual(proxy.shake_hands()["result"]["protocolVersion"], "2024-11-05")
        self.assertEqual(proxy.end(), 0)
        script.stream.put(None)

    def test_messages_go_to_no_other_server(self):
        cases = ["http://127.0.0.1:1/messages", "https://127.0.0.1:{port}/messages", "//127.0.0.2:{port}/messages",
                 "http://u:p@127.0.0.1:{port}/m", "file:///etc/passwd", "//[", "x" * 9000]
        for endpoint in cases:
            with self.subTest(endpoint[:40]):
                script = SseServer()
                server, proxy = self.start(script)
                script.endpoint = endpoint.replace("{port}", str(server.port))
                answer = proxy.shake_hands()
                self.assertIn("404: Cannot POST /mcp; HTTP+SSE: its stream does not say", answer["error"]["message"])
                script.stream.put(None)
                self.assertEqual(proxy.end(), 0)
                self.assertIn("that messages go is refused", proxy.errors[0])
                self.assertEqual({one.path for one in server.seen}, {"/mcp"})

    def test_a_server_of_neither_kind_is_what_it_said_first(self):
        cases = {"no stream": (lambda one: one.whole(405), "405; HTTP+SSE: HTTP status 405"),
                 "a stream that ends": (lambda one: one.events(b": hello\n\n"), "HTTP+SSE: its stream ended at once"),
                 "messages before the endpoint": (lambda one: one.events(event(result(0))), "its stream ended at once"),
                 "nothing": (lambda one: one.hang_up(), "405; HTTP+SSE: ")}
        for name, (script, expected) in cases.items():
            with self.subTest(name):
                def refuse(one, script=script):
                    (script(one) if one.method == "GET" else one.whole(405))
                    return True

                _, proxy = self.start(refuse)
                self.assertIn(expected, proxy.shake_hands()["error"]["message"])
                self.assertEqual(proxy.end(), 0)
                self.assertIsNone(proxy.hear())

    def test_a_streams_end_ends_its_session(self):
        said, gone = threading.Event(), threading.Event()
        script = SseServer(lambda one: one.whole(202))

        def hold(one):
            if one.message.get("method") != "notifications/x":
                return script(one)
            said.set()
            gone.wait(SECONDS)  # what comes behind it waits
            return one.whole(202) or True

        _, proxy = self.start(hold)
        proxy.shake_hands()
        proxy.say(call(1), {"jsonrpc": "2.0", "method": "notifications/x"}, call(2))
        self.assertTrue(said.wait(SECONDS))
        script.stream.put(None)
        answers = [proxy.hear(), proxy.hear()]
        gone.set()
        self.assertEqual([one["id"] for one in answers], [1, 2])
        for one in answers:
            self.assertIn("stream ended before the answer", one["error"]["message"])
        self.assertIsNone(proxy.hear())
        self.assertEqual(proxy.end(), 1)
        self.assertIn("the session with it", proxy.errors[0])

    def test_a_message_that_the_endpoint_refuses_is_told_to_the_client(self):
        script = SseServer(lambda one: one.whole(413, "text/plain", b"too large"))
        _, proxy = self.start(script)
        proxy.shake_hands()
        proxy.say(call(1))
        self.assertIn("413: too large", proxy.hear()["error"]["message"])
        self.assertEqual(proxy.end(), 0)
        script.stream.put(None)

    # ---- what is decided

    def test_a_host_that_is_not_allowed_sees_no_connection(self):
        server, proxy = self.start(lambda one: None, url="http://127.0.0.1:1/mcp")
        self.assertEqual(proxy.end(), 2)
        self.assertIn("denied", proxy.errors[0])
        self.assertEqual([one["action"] for one in proxy.decisions()], ["denied"])
        self.assertEqual(server.seen, [])

    def test_a_name_that_leads_to_this_machine_needs_an_entry_for_the_address(self):
        server, proxy = self.start(lambda one: None, host="localhost")
        self.assertEqual(proxy.end(), 2)
        self.assertIn("host '127.0.0.1' is not in egress.allowed_destinations", proxy.errors[0])
        self.assertEqual(server.seen, [])

    def test_a_policy_that_closes_the_host_ends_the_session_at_the_next_message(self):
        server, proxy = self.start(lambda one: None)
        proxy.shake_hands()
        policy = self.folder / "policy.yaml"
        new = self.folder / "new.yaml"
        new.write_text(policy.read_text().replace("127.0.0.1", "127.0.0.2"))
        new.rename(policy)
        proxy.say(call(1))
        self.assertIsNone(proxy.hear())
        proxy.end()
        self.assertIn("the session is ended", proxy.errors[0])
        self.assertNotIn("tools/call", [one.message.get("method") for one in server.seen])
        self.assertEqual(proxy.decisions()[-1]["action"], "denied")

    # ---- the way to the server

    def certificate(self, name):
        key, chain = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", chain,
                        "-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{name}", "-days", "1"], check=True,
                       capture_output=True)
        return chain, key

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_a_certificate_must_be_trusted_and_of_that_host(self):
        mine, other = self.certificate("127.0.0.1"), self.certificate("127.0.0.9")
        cases = [(mine, ["--ca", str(mine[0])], None), (mine, [], "certificate"),
                 (mine, ["--ca", str(other[0])], "certificate"),
                 (other, ["--ca", str(other[0])], "127.0.0.1"), (None, ["--ca", str(mine[0])], "SSL")]
        for certificate, options, expected in cases:
            with self.subTest(certificate=certificate, options=options):
                server = Server(lambda one: None, certificate)
                self.addCleanup(server.close)
                proxy = Proxy(self.folder, server.port, *options, url=f"https://127.0.0.1:{server.port}/mcp")
                self.addCleanup(proxy.process.kill)
                proxy.say(INITIALIZE)
                answer = proxy.hear()
                if expected is None:
                    self.assertIn("result", answer)
                else:
                    self.assertIn(expected, answer["error"]["message"])
                    self.assertEqual(server.seen, [])
                self.assertEqual(proxy.end(), 0)

    def test_a_forward_proxy_looks_the_name_up(self):
        """The name alone is decided here, the address by lilith proxy: as it is inside of lilith run."""
        server = Server(lambda one: None)
        self.addCleanup(server.close)
        policy = self.folder / "forward.yaml"
        policy.write_text(POLICY.format(host="localhost", port=server.port, folder=self.folder / "forward",
                                        egress="deny").replace("destinations: [", "destinations: ["
                          f'{{host: 127.0.0.1, ports: [{server.port}], protocols: [http]}}, '))
        forward = subprocess.Popen([LILITH, "proxy", "--listen", "127.0.0.1:0", "--policy", policy],
                                   stdout=subprocess.PIPE, env={"HOME": str(self.folder)})
        self.addCleanup(forward.stdout.close)
        self.addCleanup(forward.wait)
        self.addCleanup(forward.terminate)
        at = forward.stdout.readline().decode().split()[-1]
        proxy = Proxy(self.folder, server.port, "--proxy", f"http://{at}", host="localhost")
        self.addCleanup(proxy.process.kill)
        self.assertIn("result", proxy.shake_hands())
        self.assertEqual(proxy.end(), 0)
        self.assertEqual(server.requests("POST")[0].headers["host"], f"localhost:{server.port}")

    # ---- headers

    def test_headers_come_from_environment_and_file_and_stay_out_of_the_log(self):
        (self.folder / "headers").write_text("X-Key: from-file\r\n\n")
        server, proxy = self.start(lambda one: None, "--header", "Authorization: Bearer ${TOKEN}", "--header",
                                   f"@{self.folder}/headers", environment={"TOKEN": "s3cret-token"})
        proxy.shake_hands()
        self.assertEqual(proxy.end(), 0)
        for one in server.seen:
            self.assertEqual(one.headers["authorization"], "Bearer s3cret-token")
            self.assertEqual(one.headers["x-key"], "from-file")
        self.assertNotIn("s3cret", (self.folder / "log" / "agent-audit.log").read_text())

    def test_headers_that_are_none_are_named_without_their_value(self):
        cases = {"NoColon s3cret": "'Name: value'", "X-A: ${MISSING}": "MISSING", "Mcp-Session-Id: s3cret": "itself",
                 "Host: s3cret": "itself", "X-A: s3cret\n": "control", "@/no/such/file": "/no/such/file",
                 "X A: s3cret": "'Name: value'", "X-A: ${s3cret": "no }"}
        for header, expected in cases.items():
            with self.subTest(header):
                server, proxy = self.start(lambda one: None, "--header", header)
                self.assertEqual(proxy.end(), 2)
                self.assertIn(expected, proxy.errors[0])
                self.assertNotIn("s3cret", proxy.errors[0])
                self.assertEqual(server.seen, [])

    def test_the_environments_proxy_has_no_say(self):
        server, proxy = self.start(lambda one: None, environment={"http_proxy": "http://127.0.0.1:1"})
        self.assertIn("result", proxy.shake_hands())
        self.assertEqual(proxy.end(), 0)

    def test_headers_that_2026_07_28_asks_for(self):
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        server, proxy = self.start(lambda one: one.json(result(1)) or True if one.message.get("id") == 1 else None)
        message = call(1)
        message["params"]["_meta"] = meta
        proxy.say(message)
        self.assertEqual(proxy.hear(), result(1))
        proxy.say({"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {"name": "caf\u00e9", "_meta": meta}})
        proxy.hear()
        self.assertEqual(proxy.end(), 0)
        seen = [[one.headers.get(name) for name in ("mcp-protocol-version", "mcp-method", "mcp-name")]
                for one in server.seen]
        self.assertEqual(seen, [["2026-07-28", "tools/call", "echo"],
                                ["2026-07-28", "prompts/get", "=?base64?Y2Fmw6k=?="]])

    def test_one_of_url_and_command_is_needed(self):
        for words in (["--url", "http://127.0.0.1/", "--", "cat"], [], ["--url", "ftp://127.0.0.1/"],
                      ["--url", "http://u:p@127.0.0.1/"], ["--header", "A: b", "--", "cat"]):
            done = subprocess.run([LILITH, "mcp", "--server", "demo", *words], capture_output=True, timeout=SECONDS,
                                  stdin=subprocess.DEVNULL, env={"HOME": str(self.folder)})
            self.assertEqual(done.returncode, 2, words)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lilith", required=True)
    options, rest = parser.parse_known_args()
    LILITH = os.path.abspath(options.lilith)
    unittest.main(argv=[sys.argv[0], *rest])
