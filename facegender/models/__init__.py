"""Networks, the folders they are saved in, and inference."""
