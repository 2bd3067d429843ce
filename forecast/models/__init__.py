"""Recurrent forecasters in pure torch."""
