#!/usr/bin/env python3
"""Receivers that stall, reset and half-accept, for the shipper's crash test: RELP and Elasticsearch's _bulk.

Writes DIR/relp.port and DIR/bulk.port, and what was acknowledged, one message a line and in order, to DIR/relp and
DIR/bulk. Faults go by --seed and stop once there is a file DIR/healthy."""

import argparse
import json
import pathlib
import random
import socket
import struct
import threading
import time

STALL_S = 0.03


class Receiver:
    def __init__(self, name, directory, seed, port):
        self.out = open(directory / name, "ab", buffering=0)
        self.healthy = directory / "healthy"
        self.random = random.Random(seed)
        # One connection at a time takes effect: a process that was killed sends no more.
        self.lock = threading.Lock()
        self.seen = set()
        self.listener = socket.create_server(("127.0.0.1", port))
        port = directory / f"{name}.port.tmp"
        port.write_text(str(self.listener.getsockname()[1]))
        port.rename(directory / f"{name}.port")

    def fault(self, one_in):
        return not self.healthy.exists() and self.random.randrange(one_in) == 0

    def serve(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.attend, args=(connection,), daemon=True).start()

    def attend(self, connection):
        try:
            self.talk(connection, connection.makefile("rb"))
        except (OSError, ValueError, ConnectionError):
            # A reset: what is under way in either direction is gone.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            connection.close()

    def reset(self, one_in):
        if self.fault(one_in):
            raise ConnectionError("reset")

    def keep(self, message):
        self.out.write(message + b"\n")


class Relp(Receiver):
    @staticmethod
    def frame(stream):
        head = b""
        while not head.endswith(b" ") or head.count(b" ") < 3:
            byte = stream.read(1)
            if not byte:
                raise ConnectionError("end")
            if byte == b"\n" and head.count(b" ") == 2:  # no data
                transaction, command, _ = head.split(b" ")
                return transaction, command, b""
            head += byte
        transaction, command, length, _ = head.split(b" ")
        data = stream.read(int(length) + 1)
        if len(data) != int(length) + 1:
            raise ConnectionError("end")
        return transaction, command, data[:-1]

    def talk(self, connection, stream):
        while True:
            transaction, command, data = self.frame(stream)
            answer = b"200 OK"
            if command == b"open":
                answer += b"\nrelp_version=0\ncommands=syslog"
            if self.fault(40):
                time.sleep(STALL_S)
            with self.lock:
                self.reset(60)
                if command == b"syslog":
                    self.keep(data[data.index(b"{"):])
                self.reset(60)  # accepted, and its answer never comes
            connection.sendall(transaction + b" rsp " + str(len(answer)).encode() + b" " + answer + b"\n")
            if command == b"close":
                return


class Bulk(Receiver):
    def talk(self, connection, stream):
        while True:
            line = stream.readline()
            if not line:
                return
            length = 0
            while line not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = stream.readline()
            self.reset(10)
            if self.fault(10):
                time.sleep(STALL_S)
            body = stream.read(length)
            if len(body) != length:
                raise ConnectionError("end")
            lines = body.splitlines()
            events = list(zip(lines[0::2], lines[1::2]))
            with self.lock:
                taken = self.random.randrange(len(events) + 1) if self.fault(5) else len(events)
                items = [self.item(json.loads(head)["create"]["_id"], event) for head, event in events[:taken]]
                items += [{"create": {"status": 429, "error": "busy"}}] * (len(events) - taken)
                self.reset(10)
            text = json.dumps({"errors": taken < len(events), "items": items}).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                               + str(len(text)).encode() + b"\r\n\r\n" + text)

    def item(self, identity, event):
        status = 409 if identity in self.seen else 201
        if status == 201:
            self.seen.add(identity)
            self.keep(event)
        return {"create": {"_id": identity, "status": status}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--relp-port", type=int, default=0)
    options = parser.parse_args()
    relp = Relp("relp", options.dir, options.seed, options.relp_port)
    bulk = Bulk("bulk", options.dir, options.seed + 1, 0)
    threading.Thread(target=relp.serve, daemon=True).start()
    bulk.serve()


if __name__ == "__main__":
    main()
