"""Streams of key-value pairs: everything that the data stage reads."""
