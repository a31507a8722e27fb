"""Measures that compare real and fake embeddings."""
