"""Metrics, intervals and the judgement of a model."""
