"""The file `pytest-gitops.yaml`, and how a file that users write is held against its schema."""
