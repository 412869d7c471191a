"""Run by hand, and printed as ratios taken side by side in one run: ``python -m benchmarks``."""
