"""The world around the detectors: cameras, data sets, thresholds, alerts and people."""

__version__ = "0.1.0"
