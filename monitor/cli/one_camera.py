"""A camera named on the command line, as a configuration that the engine and its dashboard take."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from monitor.files import check_folder, write_atomically

# environment variables of addresses that nobody may read
URL, STORE = "ODDWATCH_CAMERA_URL", "ODDWATCH_STORE"


def is_camera(source: str) -> bool:
    """Whether it goes on for ever, unlike a file."""
    from monitor.sources import is_device

    scheme, mark, _ = source.partition("://")
    return is_device(source) or bool(mark and scheme.lower() != "file")


def on_terminal() -> bool:
    """Whether somebody sees a dashboard, drawn on standard error, and can press its keys."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return os.environ.get("TERM") != "dumb" and all(stream.isatty() for stream in streams)


def watch_camera(source: str, model: Path, out: Path, *, store: str = "", device: str) -> None:
    """The engine on one camera, with the dashboard before it.

    Raises:
        MonitorError: The model, the folder or the address will not do.
    """
    from monitor.cli.live import run_with_dashboard

    check_folder(out, "events and evidence")
    name = urlsplit(source).hostname or f"camera {source}"
    config = write_config(
        out / "watch.toml",
        name=name,
        url=_unread(source, URL),
        model=model,
        store=_unread(store, STORE),
        device=device,
    )
    run_with_dashboard(config)


def _unread(address: str, variable: str) -> str:
    """As a file may hold it: what is secret goes to the engine by its environment."""
    from monitor.addresses import secrets_in

    if not secrets_in(address):
        return address
    os.environ[variable] = address
    return f"env:{variable}"


def write_config(
    config: Path,
    *,
    name: str,
    url: str,
    model: Path,
    folder: Path | None = None,
    store: str = "",
    device: str = "auto",
    loop: bool = False,
) -> Path:
    """One camera; the engine's folder is the file's own if no other is named."""
    folder = (folder or config.parent).absolute()

    def text(value: object) -> str:
        return json.dumps(str(value))  # TOML's basic strings are JSON's

    lines = [
        f"# again: oddwatch watch {config}{_with(url, store)}",
        "[engine]",
        f"folder = {text(folder)}",
        *([f"store = {text(store)}"] if store else []),
        f"device = {text(device)}",
        "",
        "[api]",
        "port = 0",
        "",
        "[[camera]]",
        f"name = {text(name)}",
        f"url = {text(url)}",
        f"model = {text(model.absolute())}",
        *(["loop = true"] if loop else []),
    ]
    write_atomically(config, "\n".join(lines) + "\n")
    return config


def _with(*values: str) -> str:
    hidden = [value.removeprefix("env:") for value in values if value.startswith("env:")]
    return f", with {' and '.join(hidden)} set" if hidden else ""
