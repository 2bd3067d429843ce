"""Fitting a model with Lightning; knows neither MLflow nor the command line."""
