"""From panel to windows: splits, scaling, calendar features, batches gathered by index."""
