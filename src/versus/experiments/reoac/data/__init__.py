"""GSM8K and MATH, or problems like theirs: everything that the data stages read."""
