"""From context to horizon: segment, direct, recursive, encoder-decoder, aligned."""
