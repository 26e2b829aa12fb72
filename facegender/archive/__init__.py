"""Scoring archives that outgrow a machine: many photos -> Parquet, restartable, on Ray."""
