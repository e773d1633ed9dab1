"""Animated clips whose key poses are known."""
