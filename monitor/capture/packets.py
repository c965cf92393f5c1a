"""The last seconds of a camera as it sent them: encoded packets from a keyframe on.

Knows nothing of files; `remux` writes them.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from av.packet import Packet
from av.video.stream import VideoStream

from monitor.capture.clock import StreamClock


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One packet with its times; its own time stamps are free to be overwritten."""

    packet: "Packet[VideoStream]"
    key: bool
    received_s: float  # time.monotonic()
    time_s: float  # when to decode it, rising, from the connection's first packet
    shift_s: float  # by which it is shown later than decoded
    size: int


class PacketRing:
    """Packets of one connection, bounded by seconds and bytes; begins at a keyframe or is empty.

    At least `longest_s` are kept where `most_bytes` suffice, and up to a group of pictures more.
    """

    def __init__(self, longest_s: float, most_bytes: int, *, live: bool = True) -> None:
        self._longest_s = longest_s
        self._most_bytes = most_bytes
        self._clock = StreamClock(live=live)
        self._kept: deque[Kept] = deque()
        self._keys: deque[float] = deque()  # when each kept keyframe came
        self.bytes = 0

    def __iter__(self) -> Iterator[Kept]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, packet: "Packet[VideoStream]", received_s: float) -> Kept:
        """Stamp a packet and keep it; what is too old goes, whole groups of pictures at a time."""
        kept = self._stamp(packet, received_s)
        if self._kept or kept.key:
            self._kept.append(kept)
            self.bytes += kept.size
            if kept.key:
                self._keys.append(received_s)
        while self._is_too_long(received_s) or self.bytes > self._most_bytes:
            self._drop_group()
        return kept

    def since(self, from_s: float) -> list[Kept]:
        """From the last keyframe that came before `from_s`, else from the oldest."""
        begins = [key_s for key_s in self._keys if key_s <= from_s][-1:] or list(self._keys)[:1]
        return [kept for kept in self._kept if begins and kept.received_s >= begins[0]]

    def _stamp(self, packet: "Packet[VideoStream]", received_s: float) -> Kept:
        base = packet.time_base
        dts = packet.dts if packet.dts is not None else packet.pts
        decode_s = float(dts * base) if dts is not None and base else None
        shift = packet.pts - dts if packet.pts is not None and dts is not None else 0
        return Kept(
            packet=packet,
            key=packet.is_keyframe,
            received_s=received_s,
            time_s=self._clock.time_s(decode_s, received_s),
            shift_s=max(0.0, float(shift * base)) if base else 0.0,
            size=packet.size,
        )

    def _is_too_long(self, now_s: float) -> bool:
        return len(self._keys) > 1 and self._keys[1] <= now_s - self._longest_s

    def _drop_group(self) -> None:
        """Forget everything before the second keyframe."""
        self._keys.popleft()
        self.bytes -= self._kept.popleft().size
        while self._kept and not self._kept[0].key:
            self.bytes -= self._kept.popleft().size
