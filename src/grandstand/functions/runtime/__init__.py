"""What runs a handler: the programs that are copied into a function's sandbox (`inside`)."""
