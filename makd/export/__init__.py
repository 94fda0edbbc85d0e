"""Export of trained students: as plain models, and as programs that run without makd."""
