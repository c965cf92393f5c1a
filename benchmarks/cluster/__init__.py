"""Measurements of oddwatch on several machines."""
