"""Recurrent cells and stacks: one parametrised implementation, forward and backward loops."""
