"""Writes the files of a new experiment: `versus new`."""
