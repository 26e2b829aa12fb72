"""An evaluation -> one HTML file."""
