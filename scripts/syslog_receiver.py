"""A syslog receiver for the demo: RFC 5424 over TCP, octet counting or LF (RFC 6587), on loopback.

syslog_receiver.py PORT_FILE OUTPUT writes its port to PORT_FILE and each message as one line to
OUTPUT, until it is ended.
"""

import os
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            first = self.rfile.read(1)
            if not first:
                return
            if first.isdigit():
                count = first
                while (byte := self.rfile.read(1)) not in (b" ", b""):
                    count += byte
                message = self.rfile.read(int(count))
            else:
                message = first + self.rfile.readline()
            self.server.output.write(message.rstrip(b"\n") + b"\n")
            self.server.output.flush()


def main():
    port_file, output = sys.argv[1:]
    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server, open(output, "wb") as out:
        server.output = out
        with open(port_file + ".new", "w") as file:
            file.write(str(server.server_address[1]))
        os.rename(port_file + ".new", port_file)
        server.serve_forever()


if __name__ == "__main__":
    main()
