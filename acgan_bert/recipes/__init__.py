"""The recipes that a user starts from, one YAML file each."""
