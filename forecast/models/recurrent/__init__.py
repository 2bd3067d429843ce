"""Recurrent cells and stacks: one implementation of all cells, with hand-written time loops."""
