"""Stacks of a comparison and workers of a study on other machines: Ray clusters and SLURM."""
