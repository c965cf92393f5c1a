"""Stands in for an engine: holds the lock, says what it watches, reads its file on SIGHUP."""

import fcntl
import json
import os
import signal
import sys
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

config = Path(sys.argv[1])
watched: list[str] = []


def read(*_: object) -> None:
    watched[:] = [camera["name"] for camera in tomllib.loads(config.read_text()).get("camera", [])]
    (out / "watching.json").write_text(json.dumps(watched))


class Answering(BaseHTTPRequestHandler):
    """The API's cameras; no health events."""

    def do_GET(self) -> None:
        facts = {"state": "running", "since": "2026-03-01T18:00:00Z"}
        asked = watched if self.path == "/api/cameras" else []
        body = json.dumps([{"name": name} | facts for name in asked]).encode()
        self.send_response(200)
        self.send_header("oddwatch-api", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


out = Path(tomllib.loads(config.read_text())["engine"]["folder"])
out.mkdir(exist_ok=True)
lock = (out / "events.db.lock").open("w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
lock.write(f"{os.getpid()}\n")
lock.flush()
signal.signal(signal.SIGHUP, read)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
read()
server = HTTPServer(("127.0.0.1", 0), Answering)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
(out / "api.json").write_text(json.dumps({"pid": os.getpid(), "url": url}))
while True:
    time.sleep(0.1)
