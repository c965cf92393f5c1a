"""How good scores are: the field's figures, computed honestly, and pages that show them.

Takes scores and labels; knows nothing of detectors, torch or sources.
"""
