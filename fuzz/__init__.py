"""Coverage-guided fuzzing of whatever reads bytes that somebody else wrote: `make fuzz`, or `python -m fuzz --help`."""
