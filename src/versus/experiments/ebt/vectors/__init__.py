"""Models of sums, products and differences of vectors."""

from versus.experiments.ebt.vectors.building import build
from versus.experiments.ebt.vectors.evaluate import evaluate, example, models, predictor
from versus.experiments.ebt.vectors.learner import VectorLearner

__all__ = ["VectorLearner", "build", "evaluate", "example", "models", "predictor"]
