"""The registered model as MLflow loads it: a bundle behind `predict`.

MLflow stores this file itself with the model ("models from code"), so that loading a model
unpickles nothing.
"""

from __future__ import annotations

from typing import Any

import mlflow
import pandas as pd  # noqa: TC002 (MLflow reads the hints)
from mlflow.pyfunc import PythonModel

from forecast.forecasting.forecaster import Forecaster


class BundleModel(PythonModel):  # type: ignore[misc]
    """History frame in, forecast frame out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the model."""
        self.forecaster = Forecaster.load(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: pd.DataFrame) -> pd.DataFrame:  # noqa: ARG002
        """Forecast what follows each series of the history frame."""
        return self.forecaster.forecast(model_input)


mlflow.models.set_model(BundleModel())
