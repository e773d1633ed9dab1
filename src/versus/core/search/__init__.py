"""The search for better configurations: Optuna studies on the tuning seeds."""
