"""FaceX (arXiv 2401.00551): the representation, the controller and its adapters."""
