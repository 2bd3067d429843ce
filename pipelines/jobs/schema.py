"""`forecast schema`: prints the JSON Schema of the config."""

import json

from forecast.config import Config


def run() -> None:
    """Print the JSON Schema (draft 2020-12) of a config file."""
    schema = Config.model_json_schema()
    print(
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2)
    )
