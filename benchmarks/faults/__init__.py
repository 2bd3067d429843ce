"""Kills and full disks against every verb: what is left, and what a rerun makes of it."""
