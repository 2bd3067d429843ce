"""When jobs are due, and the record of what ran."""
