"""Benchmarks: mm2energon beside other ways to do the same work, on the same files, in one run.

__main__      python -m benchmarks
report        results.json to tables
suites        what is measured, and the figure that comes of it
baselines     the other ways: what a `child` runs
making        clips, pictures and annotations by script
measure       a process of its own for each piece of work, contenders in turn
results       rows and figures, and the file that they go to
scale         how much data
"""
