"""Key frames of a video of one's own."""
