"""Review: a dataset that people look at, decide on, and export; the data themselves are never changed."""
