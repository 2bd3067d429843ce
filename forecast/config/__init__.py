"""The config of a run: its sections, how it is loaded and checked. Cheap to import."""

from forecast.config.load import config_of, load_config
from forecast.config.root import Config

__all__ = ["Config", "config_of", "load_config"]
