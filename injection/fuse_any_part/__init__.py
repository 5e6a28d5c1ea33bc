"""FuseAnyPart (arXiv 2410.22771): the addition of fused features to a UNet, in both published variants."""
