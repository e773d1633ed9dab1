"""The code of every registered model: a shim over safetensors, JSON and the installed package.

MLflow copies this file into the model and runs it when the model is loaded; nothing is unpickled.
"""

from pathlib import Path

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from versus.core import experiment as experiments
from versus.core.errors import DataError
from versus.core.models import read_model


class VersusModel(PythonModel):
    """Arrays in, arrays out: what the experiment's predictor answers."""

    # MLflow would read type hints as a schema, and advises against both hints and none.
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        """Rebuild the predictor from weights and config."""
        part = read_model(Path(context.artifacts["config"]).parent)
        self._predict = experiments.find(part.config["experiment"]).predictor(part)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """Answer named arrays, or the columns of a frame."""
        arrays = {str(name): np.asarray(model_input[name]) for name in model_input}
        empty = [name for name, array in arrays.items() if array.size == 0]
        if empty or not arrays:
            # MLflow drops what the signature does not name without a word.
            raise DataError(
                f"model input: {', '.join(empty) or 'nothing'} is empty; give every array that the "
                "signature names, with at least one row"
            )
        return self._predict(arrays)


set_model(VersusModel())
