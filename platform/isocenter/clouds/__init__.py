"""What each cloud sells, in neutral words: its regions, and the machines behind each GPU size."""
