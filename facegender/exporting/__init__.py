"""Exporting a model to other engines."""
