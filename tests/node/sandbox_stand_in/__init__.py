"""A supervisor that keeps the control contract, and runs whatever Python text is sent to its listener."""
