"""The programs of a function's sandbox: a supervisor and its runtimes. Nothing but the standard library of Python 3.9.

This folder is copied into the sandbox as it is, under any name, so its modules import each other relatively and
nothing of grandstand.
"""
