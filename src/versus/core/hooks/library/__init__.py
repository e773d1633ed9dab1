"""Hooks that any experiment can use; a module per kind."""
