"""A face in measured attributes, each with a number and a confidence, and their words."""
