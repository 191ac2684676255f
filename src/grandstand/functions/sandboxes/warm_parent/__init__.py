"""The process from which sandboxes are forked. Standard library only: it runs under the machine's own Python.

`grandstand` is not importable there; modules import each other relatively, and nothing here imports from above.
"""
