"""Plain networks, tensors to tensors, with no idea of anomaly."""
