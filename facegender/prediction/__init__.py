"""The predictor, and the files written from its predictions."""
