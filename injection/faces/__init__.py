"""Networks that describe faces: identity recognisers and 3D face coefficients."""
