"""The table of everything a person can get wrong."""
