"""Scores, baselines, backtests, their figures, and drift."""
