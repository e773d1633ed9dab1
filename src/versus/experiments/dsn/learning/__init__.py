"""Training by REINFORCE."""
