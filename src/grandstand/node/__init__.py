"""Run Pods on this machine: images, sandboxes, network, runtime, probes, logs."""
