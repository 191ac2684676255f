"""Run controllers: watch, queue, call, act, retry."""
