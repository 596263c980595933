"""One file per network architecture; ``classifier.model.RECIPES`` lists them."""
