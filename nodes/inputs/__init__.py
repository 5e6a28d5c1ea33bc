"""Inputs and socket types that several nodes share."""
