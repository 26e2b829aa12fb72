"""Detectors, alignment and crops."""
