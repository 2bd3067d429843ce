"""The config of a run: read, checked, described; imports nothing heavy and runs nothing."""

from forecast.config.load import config_of, load_config
from forecast.config.root import Config

__all__ = ["Config", "config_of", "load_config"]
