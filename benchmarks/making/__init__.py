"""Making: clips, pictures and annotations, by script, once for each scale."""
