"""Networks without torch, for a forecast that must not wait until torch is loaded.

The same arithmetic as `forecast.models.strategies` in numpy, forecasting only. torch is the
reference: tests compare the two.
"""
