"""Pictures: decoding, download and encoding."""
