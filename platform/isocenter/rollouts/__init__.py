"""What is the same for endpoints on every target: order of steps, gates, resuming, approvals, history."""
