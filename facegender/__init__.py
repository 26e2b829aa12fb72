"""Tell the perceived gender of faces in photos, and train and judge such a classifier."""

__version__ = "0.1.0"
