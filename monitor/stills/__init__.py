"""Still pictures: sets of them, what is learned from them, and what is judged as it arrives."""
