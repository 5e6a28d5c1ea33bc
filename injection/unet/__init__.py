"""The structure of a Stable Diffusion UNet: its blocks, their weight keys and block weights."""
