"""What circuit searches find of models whose circuit is known."""
