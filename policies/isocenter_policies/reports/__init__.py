"""A scan's result, for people, for programs, and for GitHub."""
