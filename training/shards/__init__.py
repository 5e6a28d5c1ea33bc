"""Photographs of people, aligned and written as tar files: what the sets for training share."""
