"""Side-by-side measurements. Each figure is a ratio of two things timed in turn in one run."""
