"""The clusters that Applications are proven on: one interface, and one module or folder per provider."""
