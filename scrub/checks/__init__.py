"""What is wrong with a hypothesis, found before anything runs."""
