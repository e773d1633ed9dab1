"""Examples of every task: everything that the data stage reads."""
