"""One class per kind of fault, each with its exit code of the command line."""


class ForecastError(Exception):
    """A fault whose message a person can act on: what, where, the value found, what to do."""

    exit_code = 1


class ConfigError(ForecastError):
    """The configuration is wrong: unknown key, wrong type, values that contradict each other."""

    exit_code = 2


class DataError(ForecastError):
    """The data cannot be used as it is, or as the config describes it."""

    exit_code = 3


class ModelError(ForecastError):
    """A model or a bundle is damaged, too new, or does not fit the data."""

    exit_code = 4


class TrackingError(ForecastError):
    """The tracking server or the model registry cannot be reached or refuses."""

    exit_code = 5


class LockError(ForecastError):
    """Another run holds the lock of this config."""

    exit_code = 6
