"""What ships: models, recipes, and where they lie."""
