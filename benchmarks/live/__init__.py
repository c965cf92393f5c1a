"""Faults, load and endurance of the live engine against real servers."""
