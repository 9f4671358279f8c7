"""Local servers that answer as a cloud's training service does and really run the jobs' program.

``isocenter emulate CLOUD`` starts one and makes it a target. Common to all are :mod:`.job_process` (a
container's program as a process), :mod:`.web_server` (requests, answers, faults on demand), :mod:`.serve`
(which emulators there are, starting and ending them) and :mod:`.descriptor_file` (making one a target).
"""
