"""Studies: a grid of recipes and seeds, trained as few programs, and one table."""
