"""Folders or label files of photos -> samples -> faces.csv and back."""
