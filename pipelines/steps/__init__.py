"""What several jobs share: prepared panel, training run, gate, template."""
