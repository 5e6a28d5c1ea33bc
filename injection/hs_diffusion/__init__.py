"""HS-Diffusion (arXiv 2212.06458): the layout generator and the layout-conditioned latent diffusion model."""
