"""Encoder tokens of face parts: encoding pictures and fusing the tokens of several people."""
