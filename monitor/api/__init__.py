"""The engine's local HTTP API: its words, its client, its server. Imports no torch."""
