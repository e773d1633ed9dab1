"""Hooks: observers of training, and the few that change it, called at documented points."""
