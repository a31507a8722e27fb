"""Vectors out: pretrained encoders and the embedding store."""
