"""From animation to sequences of frames with features."""
