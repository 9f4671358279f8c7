"""Vertex AI, Cloud Logging and Cloud Storage, as far as training jobs and the registry's mirror need them.

Vertex AI is made of google-cloud-aiplatform's own definitions: the routes of its REST transports, and its
protobuf messages, into which every request is parsed strictly.
"""
