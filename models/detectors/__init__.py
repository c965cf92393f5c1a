"""One detector a file: config, class, scoring rule, the paper and what differs from it."""
