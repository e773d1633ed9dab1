"""Versus: a laboratory for controlled comparisons of learning systems."""

__version__ = "0.1.0"
