"""What the soak runs beside lilith: a syslog receiver that can be taken away, an HTTP server behind the proxy, a Kafka
broker of Maven's, and the samples of memory, descriptors and lag."""

import http.server
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import threading
import time
import urllib.request

KAFKA_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
WAIT_S = 180


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def eventually(done, what, seconds=WAIT_S):
    """Polls until DONE() holds; AssertionError with WHAT when it never does."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.05)


class SyslogReceiver:
    """RFC 6587 octet counting on a port of its own; the messages go to a file. stop() resets all connections."""

    def __init__(self, output):
        self.port, self.output, self.connections, self.listener = free_port(), open(output, "ab"), set(), None

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        held = b""
        try:
            while data := connection.recv(65536):
                held += data
                while (blank := held.find(b" ")) > 0 and len(held) >= blank + 1 + (size := int(held[:blank])):
                    message = held[blank + 1:blank + 1 + size]
                    self.output.write(message[message.index(b"{"):] + b"\n")
                    held = held[blank + 1 + size:]
                self.output.flush()
        except OSError:
            pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            # SO_LINGER with 0: a reset, as of a receiver that was killed.
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.shutdown(socket.SHUT_RD)
            except OSError:
                pass
            connection.close()
        self.connections.clear()


class WebServer:
    """Answers each request with its path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.path)))
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *arguments):
            pass

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Broker:
    """The broker of tests/kafka, with one topic made by the first message."""

    def __init__(self, folder, classpath):
        self.folder, self.port, self.process = folder, free_port(), None
        self.java = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", classpath]
        controller = free_port()
        folder.mkdir()
        self.settings = folder / "server.properties"
        self.settings.write_text(
            "process.roles=broker,controller\nnode.id=1\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}\ncontroller.listener.names=CONTROLLER\n"
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
            f"log.dirs={folder}/data\noffsets.topic.replication.factor=1\nauto.create.topics.enable=true\n"
            "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
            "num.network.threads=2\nnum.io.threads=2\nlog.cleaner.enable=false\n", encoding="utf-8")
        subprocess.run([*self.java, "kafka.tools.StorageTool", "format", "-t", KAFKA_CLUSTER, "-c", self.settings],
                       check=True, stdout=subprocess.DEVNULL)

    @staticmethod
    def classpath(source, build):
        """The jars, by Maven, or (None, why not)."""
        for program in ("java", "mvn"):
            if shutil.which(program) is None:
                return None, f"{program} is not installed"
        file, pom = build / "kafka-classpath", source / "tests/kafka/pom.xml"
        if not file.exists() or file.stat().st_mtime < pom.stat().st_mtime:
            done = subprocess.run(["mvn", "-B", "-q", "-f", pom,
                                   "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath",
                                   f"-Dmdep.outputFile={file}", "-DincludeScope=runtime"],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return None, f"Maven cannot resolve {pom}: {done.stdout[:300]}"
        return file.read_text(encoding="utf-8"), None

    def start(self):
        self.process = subprocess.Popen([*self.java, "kafka.Kafka", self.settings], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def listens(self):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def consume(self, topic, output):
        """What is in TOPIC into OUTPUT, by Kafka's own console consumer. It ends when nothing came for a while, which a
        busy machine can make too soon: the caller says whether it is all."""
        with open(output, "wb") as file:
            subprocess.run([*self.java, "kafka.tools.ConsoleConsumer", "--bootstrap-server", f"127.0.0.1:{self.port}",
                            "--topic", topic, "--partition", "0", "--offset", "earliest",
                            "--timeout-ms", "8000"], stdout=file,
                           stderr=subprocess.DEVNULL, check=True)


class Samples:
    """RSS in KiB, open descriptors and lag, by (what, quarter of the run)."""

    def __init__(self, processes, metrics_port):
        self.processes, self.metrics_port, self.values = processes, metrics_port, {}

    def take(self, quarter):
        for name, process in self.processes.items():
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            self.add(f"{name} RSS, KiB", quarter, int(re.search(r"VmRSS:\s+(\d+)", status)[1]))
            self.add(f"{name} descriptors", quarter, len(os.listdir(f"/proc/{process.pid}/fd")))
        for sink, lag in self.lags().items():
            self.add(f"lag of {sink}, bytes", quarter, lag)

    def add(self, what, quarter, value):
        self.values.setdefault(what, {}).setdefault(quarter, []).append(value)

    def lags(self):
        """{sink: bytes that it has not delivered}, over all sources."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        out = {}
        for sink, value in re.findall(r'^lilith_ship_lag_bytes\{sink="(\w+)",[^}]*\} (\d+)', text, re.M):
            out[sink] = out.get(sink, 0) + int(value)
        return out

    def medians(self):
        return {what: {quarter: statistics.median(some) for quarter, some in sorted(quarters.items())}
                for what, quarters in self.values.items()}
