"""One folder per experiment; see :func:`versus.core.experiment.find`."""
