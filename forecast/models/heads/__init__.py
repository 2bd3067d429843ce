"""Heads: from the outputs of a network to points, quantiles and distributions."""
