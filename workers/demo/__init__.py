"""The demo: a project over drawn shapes, robots who answer it, and the words about its Rounds."""
