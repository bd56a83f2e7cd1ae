"""A model on loopback that speaks as much of the Messages API as the two clients use: it asks for one tool call, then
says that it is done."""

import http.server
import json
import threading


class Model:
    """`tool` is (name, input). After the run: `asked` says whether the call was put, `results` holds the texts that the
    client gave back for it."""

    def __init__(self, tool):
        self.tool = tool
        self.asked = False
        self.results = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer_to(self, request):
        offered = [tool.get("name") for tool in request.get("tools", [])]
        results = [block for message in request.get("messages", []) if isinstance(message.get("content"), list)
                   for block in message["content"] if block.get("type") == "tool_result"]
        self.results += [text_of(block.get("content")) for block in results]
        if results or self.tool[0] not in offered:
            return {"type": "text", "text": "done"}
        self.asked = True
        return {"type": "tool_use", "id": "toolu_01scripted", "name": self.tool[0], "input": self.tool[1]}

    def handler(model):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.reply({"data": [], "has_more": False})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
                if self.path.split("?")[0].endswith("count_tokens"):
                    self.reply({"input_tokens": 1})
                    return
                block = model.answer_to(body)
                if body.get("stream"):
                    self.stream(block, body.get("model", "scripted"))
                else:
                    self.reply(message(block, body.get("model", "scripted")))

            def reply(self, value):
                data = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, block, name):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for event in events(block, name):
                    self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                self.close_connection = True

        return Handler


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content or [])


def stop_reason(block):
    return "tool_use" if block["type"] == "tool_use" else "end_turn"


def message(block, name):
    return {"id": "msg_01scripted", "type": "message", "role": "assistant", "model": name, "content": [block],
            "stop_reason": stop_reason(block), "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1}}


def events(block, name):
    opening = message(block, name) | {"content": [], "stop_reason": None}
    yield {"type": "message_start", "message": opening}
    if block["type"] == "tool_use":
        yield {"type": "content_block_start", "index": 0, "content_block": block | {"input": {}}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        delta = {"type": "text_delta", "text": block["text"]}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": stop_reason(block), "stop_sequence": None},
           "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}
