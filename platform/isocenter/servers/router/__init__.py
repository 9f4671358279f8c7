"""The local endpoint's front: one port, the versions behind it, each request to one by weight.

Started by the supervisor as ``python -m isocenter.servers.router`` in the endpoint's directory.
"""
