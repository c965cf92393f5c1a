"""Pure drawing: values in, lines of text with colours out. Imports no Textual."""
