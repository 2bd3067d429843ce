"""The application that `forecast serve` runs: MLflow's scoring server around one version, guarded.

MLflow would read times as UTC and forget their offset; here they reach the model as they were sent,
and it reads them as tables are read.
"""

from __future__ import annotations

import os
from typing import Any

from pipelines.process.guard import Guard

MODEL = "FORECAST_SERVED_MODEL"  # the model's address in the registry, with its version


def app() -> Guard:
    """Return the application; the model is named by the environment."""
    import mlflow
    from mlflow.pyfunc import scoring_server

    address = os.environ[MODEL]
    model = mlflow.pyfunc.load_model(address)
    forecaster = model.unwrap_python_model().forecaster
    forecaster.origin["model_version"] = address.rpartition("/")[2]
    model.metadata.signature = _with_times_as_text(model.metadata.signature)
    return Guard(scoring_server.init(model))


def _with_times_as_text(signature: Any) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    columns = [
        ColSpec(DataType.string, column.name, required=column.required)
        if column.type == DataType.datetime
        else column
        for column in signature.inputs
    ]
    return ModelSignature(Schema(columns), signature.outputs, signature.params)
