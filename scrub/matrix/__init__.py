"""Claims × models × seeds: cells computed anywhere, and what their records say."""
