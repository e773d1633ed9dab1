"""The report: what all experiments of a profile found, as one page."""
