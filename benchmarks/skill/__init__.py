"""Forecast skill on the standard long-horizon benchmarks and M4 Hourly, one command a row."""
