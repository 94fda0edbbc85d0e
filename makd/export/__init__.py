"""What leaves: plain models, and programs that run without makd."""
