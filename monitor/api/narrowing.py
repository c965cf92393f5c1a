"""The part of a stream that is about some cameras only. Knows nothing of HTTP."""

from collections.abc import AsyncIterator, Collection

from monitor.api.schema import CameraStatus, Message


class Narrowing:
    """Takes messages in their order; a camera that loses a tag is told of as removed."""

    def __init__(self, tags: Collection[str]) -> None:
        self._tags = frozenset(tags)
        self._names: set[str] = set()

    def __call__(self, message: Message) -> Message:
        """What is left of it; what is about the engine as a whole is."""
        shown = [camera for camera in message.cameras if self._wants(camera)]
        lost = {camera.name for camera in message.cameras} - {camera.name for camera in shown}
        removed = self._names & (lost | set(message.removed))
        self._names -= removed
        self._names |= {camera.name for camera in shown}
        return message.model_copy(
            update={
                "cameras": shown,
                "removed": sorted(removed),
                "scores": [point for point in message.scores if point.camera in self._names],
                "alerts": [alert for alert in message.alerts if alert.camera in self._names],
                "health": [one for one in message.health if self._shows(one.camera)],
                "log": [line for line in message.log if self._shows(line.camera)],
            }
        )

    def _wants(self, camera: CameraStatus) -> bool:
        return self._tags <= set(camera.tags)

    def _shows(self, camera: str | None) -> bool:
        return camera is None or camera in self._names


async def narrowed(
    messages: AsyncIterator[Message], tags: Collection[str]
) -> AsyncIterator[Message]:
    """Those parts that are about cameras with all these tags; where nothing is left, nothing."""
    narrowing = Narrowing(tags)
    async for message in messages:
        left = narrowing(message)
        if left != Message():
            yield left
