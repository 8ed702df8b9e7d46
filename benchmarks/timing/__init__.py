"""What `benchmarks/speed.py` measures: the engine beside other ways to do the same work."""
