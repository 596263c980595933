"""Images and soft labels in, calibrated probabilities out: the pure PyTorch half of LabelHub.

The folder is the pipeline: ``config`` says what is trained, ``dataset`` holds the pixels,
``model`` builds a network from a recipe, ``train`` fits it, ``calibration`` and ``evaluation``
judge it on held-out images, ``checkpoint`` writes and reads the served file, ``predict`` and
``uncertainty`` rank the pool and ``activations`` shows what the network saw.

Nothing here knows the web, the queue or the database.
"""

import os

# PyTorch's threads wait for each other at each operation. They spin long before they sleep, and on
# cores that a web process shares each spins where the one it waits for should run: 60 training
# steps took 56 s instead of 5. Never to spin costs twice the time on idle cores, so they spin a
# third as long. Read once, when torch is loaded; `workers` loads this package first.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")
