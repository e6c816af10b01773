"""How networks learn and predict."""
