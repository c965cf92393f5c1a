"""Stands in for an engine: holds the store's lock, tells its address, reads its file on SIGHUP."""

import fcntl
import json
import os
import signal
import sys
import time
import tomllib
from pathlib import Path

config = Path(sys.argv[1])


def read(*_: object) -> None:
    names = [camera["name"] for camera in tomllib.loads(config.read_text()).get("camera", [])]
    (out / "watching.json").write_text(json.dumps(names))


out = Path(tomllib.loads(config.read_text())["engine"]["folder"])
out.mkdir(exist_ok=True)
lock = (out / "events.db.lock").open("w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
lock.write(f"{os.getpid()}\n")
lock.flush()
signal.signal(signal.SIGHUP, read)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
read()
(out / "api.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://127.0.0.1:1"}))
while True:
    time.sleep(0.1)
