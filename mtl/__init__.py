"""Multitask text library: tasks and corpora in, sentence vectors and predictions out."""
