"""Cameras read in processes of their own: frames into a ring, packets into clips."""
