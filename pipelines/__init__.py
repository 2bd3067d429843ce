"""The jobs of the service, one file each, over the forecast library."""
