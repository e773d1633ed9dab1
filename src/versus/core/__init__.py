"""What every experiment shares: configuration, training, tracking, statistics."""
