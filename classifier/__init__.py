"""Images and soft labels in, calibrated probabilities out: the pure PyTorch half of LabelHub.

The folder is the pipeline: ``config`` says what is trained, ``dataset`` holds the pixels,
``model`` builds a network from a recipe, ``train`` fits it, ``calibration`` and ``evaluation``
judge it on held-out images, ``checkpoint`` writes and reads the served file, ``predict`` and
``uncertainty`` rank the pool and ``activations`` shows what the network saw.

Nothing here knows the web, the queue or the database.
"""
