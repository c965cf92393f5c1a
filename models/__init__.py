"""Detectors of the unusual: clips in, anomaly scores and maps out. Knows nothing of cameras."""
