"""The verbs of the command line, one file per verb; no job imports another."""
