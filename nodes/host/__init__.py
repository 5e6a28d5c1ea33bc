"""Code that touches the host's objects: model patchers, attention, encoders, folders."""
