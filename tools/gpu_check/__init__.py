"""What tools/gpu-check is made of. Python's standard library alone: the machine may have no package registry."""
