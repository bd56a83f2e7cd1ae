"""A model on loopback that speaks as much of the clients' interfaces as they use (Anthropic's Messages, Google's
generateContent, OpenAI's Responses): it asks for its tool calls in one turn, then says that it is done."""

import http.server
import json
import threading


class Model:
    """`calls` are (name, input), of one tool. After the run: `asked` says whether they were put, `results` holds the
    texts that the client gave back for them."""

    def __init__(self, calls):
        self.calls = calls
        self.asked = False
        self.results = []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def next_calls(self, offered, results):
        """The calls to put now, none when it is time to say "done"."""
        self.results += results
        if results or self.calls[0][0] not in offered:
            return []
        self.asked = True
        return self.calls

    def answer_to(self, path, request):
        """(the answer whole, the events of a stream)."""
        if "generateContent" in path or "GenerateContent" in path:
            answer = generated(self.next_calls(*read_generate(request)))
            return answer, [answer]
        if path.endswith("/responses"):
            return {}, list(response_events(self.next_calls(*read_responses(request))))
        blocks = message_blocks(self.next_calls(*read_messages(request)))
        name = request.get("model", "scripted")
        return message(blocks, name), list(message_events(blocks, name))

    def handler(model):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.reply({"data": [], "models": [], "has_more": False})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
                if self.path.split("?")[0].endswith("count_tokens"):
                    self.reply({"input_tokens": 1})
                    return
                path = self.path.split("?")[0]
                whole, events = model.answer_to(path, body)
                if body.get("stream") or "stream" in path:
                    self.stream(events)
                else:
                    self.reply(whole)

            def reply(self, value):
                data = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, events):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for event in events:
                    head = f"event: {event['type']}\n" if "type" in event else ""
                    self.wfile.write(f"{head}data: {json.dumps(event)}\n\n".encode())
                self.close_connection = True

        return Handler


# ---- Anthropic, Messages


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content or [])


def read_messages(request):
    offered = [tool.get("name") for tool in request.get("tools", [])]
    results = [block for turn in request.get("messages", []) if isinstance(turn.get("content"), list)
               for block in turn["content"] if block.get("type") == "tool_result"]
    return offered, [text_of(block.get("content")) for block in results]


def message_blocks(calls):
    return [{"type": "tool_use", "id": f"toolu_{i}scripted", "name": name, "input": given}
            for i, (name, given) in enumerate(calls)] or [{"type": "text", "text": "done"}]


def stop_reason(blocks):
    return "tool_use" if blocks[0]["type"] == "tool_use" else "end_turn"


def message(blocks, name):
    return {"id": "msg_01scripted", "type": "message", "role": "assistant", "model": name, "content": blocks,
            "stop_reason": stop_reason(blocks), "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1}}


def message_events(blocks, name):
    opening = message(blocks, name) | {"content": [], "stop_reason": None}
    yield {"type": "message_start", "message": opening}
    for index, block in enumerate(blocks):
        if block["type"] == "tool_use":
            yield {"type": "content_block_start", "index": index, "content_block": block | {"input": {}}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
            delta = {"type": "text_delta", "text": block["text"]}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": stop_reason(blocks), "stop_sequence": None},
           "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


# ---- Google, generateContent


def read_generate(request):
    offered = [function["name"] for tool in request.get("tools", [])
               for function in tool.get("functionDeclarations", [])]
    results = [part["functionResponse"]["response"] for turn in request.get("contents", [])
               for part in turn.get("parts", []) if "functionResponse" in part]
    return offered, [json.dumps(result) for result in results]


def generated(calls):
    parts = [{"functionCall": {"name": name, "args": given}} for name, given in calls] or [{"text": "done"}]
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}


# ---- OpenAI, Responses


def read_responses(request):
    offered = [tool.get("name") for tool in request.get("tools", [])]
    results = [item.get("output") for item in request.get("input", []) if item.get("type") == "function_call_output"]
    return offered, [result if isinstance(result, str) else json.dumps(result) for result in results]


def response_events(calls):
    items = [{"type": "function_call", "id": f"fc_{i}", "call_id": f"call_{i}", "name": name,
              "arguments": json.dumps(given)} for i, (name, given) in enumerate(calls)]
    items = items or [{"type": "message", "role": "assistant", "id": "msg_1",
                       "content": [{"type": "output_text", "text": "done"}]}]
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    yield {"type": "response.created", "response": {"id": "resp_1"}}
    for item in items:
        yield {"type": "response.output_item.done", "item": item}
    yield {"type": "response.completed", "response": {"id": "resp_1", "usage": usage}}
