"""Metrics, intervals and the evaluation of a model."""
