"""The studio: a page on loopback to review data, try a model on them, and fine-tune it."""
