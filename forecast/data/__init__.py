"""From files to a regular panel and from the panel to batches of windows."""
