"""The first run: footage that the package carries, with planted anomalies whose truth is known."""

from monitor.demo.planting import PlantedEvent
from monitor.demo.scene import Scene, demo_scene
from monitor.demo.verdict import Verdict, judge

__all__ = ["PlantedEvent", "Scene", "Verdict", "demo_scene", "judge"]
