"""Baselines: the work as other tools and the usual scripts do it."""
