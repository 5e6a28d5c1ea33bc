"""The state of one sampling run, shared by all systems that patch a model."""
