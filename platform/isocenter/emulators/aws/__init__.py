"""AWS on this machine: moto for what is only kept, and in front of it SageMaker that really runs.

moto's own training jobs are "completed" at once and run nothing, and its endpoints answer a fixed body; those
calls are answered here, checked with botocore's model of the service: jobs and endpoints are processes. S3,
IAM, KMS, CloudWatch, model packages and all else are moto's. What it holds is in its memory: when the
emulator ends, the emulated cloud is gone.

It can't: keep a container from the network, scale an endpoint by its load, give it a GPU, replace its file
system, or bill. Hosts of a job with several are named by addresses of 127.0.0.0/8, because ``algo-1``
resolves nowhere.
"""
