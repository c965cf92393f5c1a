"""The live engine: many cameras judged as they are seen, supervised, kept and told."""
