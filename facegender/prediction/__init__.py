"""The predictor, and what it leaves on disk."""
