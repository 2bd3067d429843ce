"""Heads: from the state of a network to points, quantiles and distributions."""
