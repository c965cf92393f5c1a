"""What a live engine is told: configuration files, their secrets, and what changed in them."""
