"""Measurements on faces: what they are like, and what an edit did to them."""
