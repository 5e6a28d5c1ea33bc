"""Face Fusion (arXiv 2409.19111): the UNet itself encodes reference photographs, and its attention looks at them."""
