"""Telling people and machines of alerts: who is told what, and how it gets there.

An alert's phase and its notices are written in one transaction; couriers, one per sink, take them
from there. At least once: a notice's event, revision and kind are its key, for whoever receives
it twice. Knows nothing of cameras, scores or pictures but what an alert says.
"""

from monitor.telling.telling import Telling

__all__ = ["Telling"]
