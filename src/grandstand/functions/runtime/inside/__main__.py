"""Run the supervisor of one sandbox, as its descriptors and settings in the environment say."""

import os

from .supervisor import run

run(dict(os.environ))
