"""IP-Adapter (arXiv 2308.06721): several references, each inside its own region."""
