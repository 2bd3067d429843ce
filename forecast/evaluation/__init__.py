"""Scores, baselines, backtests and intervals; trains nothing but its baselines."""
