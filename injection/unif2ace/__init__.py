"""UniF2ace (arXiv 2503.08120): parts of a transformer over text and discrete image tokens. No weights are published."""
