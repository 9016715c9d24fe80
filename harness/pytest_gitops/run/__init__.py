"""One run, from its plan to its verdicts. Knows nothing of pytest."""
