"""The way from one set of running servers to another: in which order, at which peak."""
