"""The GAN over embeddings, and the programs a user runs."""
