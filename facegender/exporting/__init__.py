"""A model in the formats of other engines."""
