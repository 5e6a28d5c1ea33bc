"""ReliableSwap (arXiv 2306.05356): whole-face swap by published generators, with the identity of the lower face."""
