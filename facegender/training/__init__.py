"""Samples -> a trained, calibrated model folder."""
