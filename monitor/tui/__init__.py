"""The terminal dashboard: a thin client of the engine's API."""
