"""The contracts that one app answers: ours, and each cloud's."""
