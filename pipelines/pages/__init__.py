"""HTML pages that jobs write."""
