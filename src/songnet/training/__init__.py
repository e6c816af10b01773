"""Training of networks, and prediction with them."""
