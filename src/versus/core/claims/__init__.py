"""Statements of source documents and papers, held against tracked runs."""
