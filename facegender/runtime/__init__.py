"""Files, signals and processes: what every command leaves behind, and how it ends."""
