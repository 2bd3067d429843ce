"""The closed-form linear path beside the network: ridge, prior, choice of penalties."""
