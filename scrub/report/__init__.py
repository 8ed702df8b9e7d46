"""Results for people: the terminal, pictures."""
