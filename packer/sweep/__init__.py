"""Many questions answered at once: on processes of this machine, or on a cluster of others."""
