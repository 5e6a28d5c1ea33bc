"""Reading weight files safely, checking keys and shapes, recognising model families."""
