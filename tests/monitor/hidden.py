"""Packages that are as if they were not installed."""

import importlib.util

import pytest

from monitor import missing


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """From whoever asks `monitor.missing` for them."""

    def find_spec(name: str) -> object:
        return None if name in packages else importlib.util.find_spec(name)

    monkeypatch.setattr(missing, "find_spec", find_spec)
