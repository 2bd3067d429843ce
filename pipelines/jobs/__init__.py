"""The verbs of the command line, one file per verb. No job imports another."""
