"""Say how many replicas a measured demand needs. Pure: no clock, no I/O, no Kubernetes objects."""
