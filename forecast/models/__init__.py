"""Recurrent forecasters in pure torch; know neither files nor configs."""
