"""What agents and the coordinator say to each other; plain values, no Ray in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EngineState = Literal["none", "starting", "running", "failed"]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node says of itself, every two seconds."""

    node: str
    capacity: int  # thousandths of a scored frame per second; 0: not measured yet
    tags: frozenset[str] = frozenset()
    version: str = ""  # of oddwatch
    generation: int = 0  # the highest coordinator that it obeyed
    digest: str = ""  # of the configuration that it runs
    running: frozenset[str] = frozenset()  # cameras that its engine was told, or has still
    engine: EngineState = "none"
    wall_s: float = 0.0  # its clock, seconds since 1970
    url: str = ""  # of the engine's API, where it can be reached
    text: str = ""  # one line on what is wrong
    unsent: int = 0  # events that the shared database does not have
    draining: bool = False  # as it was last told, so that a new coordinator knows


@dataclass(frozen=True, slots=True)
class Order:
    """What a node is to do; the answer to its report."""

    generation: int
    cameras: frozenset[str] | None  # None: go on as you do
    digest: str = ""  # of the configuration to take them from; empty: the one that it has
    refused: str = ""  # why it is given nothing, in one line
    draining: bool = False


NodeState = Literal[
    "up", "settling", "unsteady", "draining", "lost", "failed", "refused", "unmeasured"
]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A node as the coordinator sees it."""

    node: str
    state: NodeState
    cameras: int
    load: int  # thousandths of a scored frame per second
    capacity: int
    tags: tuple[str, ...]
    heard_s: float  # ago
    losses: int  # within the last hour
    version: str
    current: bool  # whether it has the newest configuration
    url: str = ""
    unsent: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """All of it, for people and programs."""

    generation: int
    digest: str
    gathering: bool  # waits for reports before it decides anything
    nodes: tuple[NodeStatus, ...]
    where: Mapping[str, str]
    waiting: Mapping[str, str]  # camera -> why
    moves: int = 0  # since it began; the first places are not counted
    decisions: int = 0
    slowest_s: float = 0.0  # of a decision, of processor time
    notes: tuple[str, ...] = field(default=())
