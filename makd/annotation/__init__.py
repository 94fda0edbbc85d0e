"""Who writes the questions, who answers them, and how annotation is run. Imports neither mmpretrain nor mmdet."""
