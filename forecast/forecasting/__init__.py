"""The serving path: forecaster, bundle, fallbacks, calibration, forecast files."""
