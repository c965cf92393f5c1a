import time

import pytest

pytest.importorskip("textual_plot")


@pytest.fixture(autouse=True)
def _greenwich(monkeypatch):
    """Local times in pictures are the same everywhere; nothing moves in them."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
