"""The structure of a Stable Diffusion UNet: blocks, weight keys, block weights, and projections to its text width."""
