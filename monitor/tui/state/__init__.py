"""The view-model: what the dashboard knows, in plain Python. Imports no Textual."""
