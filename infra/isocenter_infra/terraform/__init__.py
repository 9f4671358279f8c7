"""Running Terraform or OpenTofu: finding it, its providers, its plans, and what its errors mean."""
