"""Training of UniF2ace (arXiv 2503.08120)."""
