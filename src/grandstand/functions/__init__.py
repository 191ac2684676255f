"""Functions: handlers written for AWS Lambda, unchanged, each instance in a sandbox of its own."""
