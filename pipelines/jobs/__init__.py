"""One verb of the command line a file; no job imports another."""
