"""oddwatch beside anomalib and beside a plain loop; see benchmarks/README.md."""
