"""What frames look like, how they move, and their colours."""
