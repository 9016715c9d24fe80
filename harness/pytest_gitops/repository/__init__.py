"""The repository under test: its working tree as a commit, its files, the Applications declared in them."""
