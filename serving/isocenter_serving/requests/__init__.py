"""The forms in which images come: one module each."""
