"""A cluster on this machine: its API server, and what runs jobs and their pods, as far as jobs need them.

:mod:`.api` answers requests, :mod:`.schemas` refuses what Kubernetes would, :mod:`.objects` keeps the rest;
:mod:`.jobs`, :mod:`.trainer` and :mod:`.pods` make what was asked for happen, with a container's program as a
process of this machine. Kubernetes is what its documentation says (https://kubernetes.io/docs/reference/);
what is left out: no image is pulled and no file system is a container's own, the cluster's name service is
imitated in the variables that name the first pod, JobSet is folded into Trainer, amounts of cores and memory
are not enforced.
"""
