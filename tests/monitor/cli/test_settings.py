from dataclasses import dataclass
from typing import Literal

import pytest

from models.detectors.frame_prediction import FramePredictionConfig
from monitor.cli.settings import parse_settings
from monitor.errors import UsageError


@dataclass(frozen=True)
class Config:
    size: tuple[int, int] = (128, 192)
    widths: tuple[int, ...] = (1, 2)
    channels: Literal[1, 3] = 1
    gain: float = 1.0
    fast: bool = False
    drop_at: int | None = None
    file: str | None = None
    rule: Literal["local", "frame"] | Literal["psnr"] = "local"


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("size=128,192", (128, 192)),
        ("size=96x160", (96, 160)),
        ("size = (96, 160)", (96, 160)),
        ("widths=8,16,32", (8, 16, 32)),
        ("channels=3", 3),
        ("gain=1e-3", 0.001),
        ("fast=yes", True),
        ("fast=False", False),
        ("drop_at=none", None),
        ("drop_at=700", 700),
        ("file=a=b.pt", "a=b.pt"),
        ("file=none", None),
        ("rule=psnr", "psnr"),
    ],
)
def test_a_value_is_of_its_fields_type(pair: str, value: object) -> None:
    found = parse_settings(Config, [pair])
    assert list(found.values()) == [value]
    assert type(next(iter(found.values()))) is type(value)
    Config(**found)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("size=128", "size: expected 2 values separated by commas .*, got '128'"),
        ("size=a,b", "size: expected 2 values"),
        ("channels=2", "channels: expected 1 or 3, got '2'"),
        ("gain=much", "gain: expected a number, got 'much'"),
        ("fast=perhaps", "fast: expected true or false"),
        ("drop_at=1.5", "drop_at: expected a whole number or none, got '1.5'"),
        ("rule=best", "rule: expected local or frame or psnr, got 'best'"),
        ("rul=frame", "rul: there is no such option; did you mean rule?"),
        ("width", "expected key=value"),
    ],
)
def test_a_wrong_one_is_said_in_one_line(pair: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("?", r"\?")) as caught:
        parse_settings(Config, [pair])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_real_configs_can_be_set() -> None:
    pairs = ["size=64,96", "flow=none", "drop_at=none", "rule=psnr", "max_gradient_norm=inf"]
    found = parse_settings(FramePredictionConfig, pairs)
    assert found["flow"] == "none"  # a word there, not None
    assert found["drop_at"] is None
    FramePredictionConfig(**found)
