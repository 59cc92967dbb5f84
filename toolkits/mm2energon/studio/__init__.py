"""Studio: the page on which people look at a dataset, export it, try a model on it and fine-tune it, and its server.

The modules of this folder import FastAPI at their top: who imports one of them does it inside a function, so that the
rest of mm2energon does without the extra `studio`.
"""
