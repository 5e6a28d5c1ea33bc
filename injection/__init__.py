"""Fused features and weights -> modules, patches and latents for a diffusion model's sampler."""
