"""Sentences in: tasks, readers, built-in corpora, token batches."""
