"""No secret stands in a request."""

import re
from collections.abc import Iterator

from isocenter.policy.environments import variables
from isocenter.policy.rule import Flaw, JobRequest, Rule

_NAME = re.compile(
    r"(^|[_.-])(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|ACCOUNT_?KEY|PRIVATE_?KEY"
    r"|CREDENTIALS?|CONNECTION_?STRING|SAS)([_.-]|$)",
    re.IGNORECASE,
)
# What such a name may hold all the same: where the secret lies, or how many of something.
_OF_A_PLACE = re.compile(r"_(FILE|PATH|DIR|URI|URL|ARN|NAME)$", re.IGNORECASE)
_PLAIN = re.compile(r"[\d.]*|true|false|none|null", re.IGNORECASE)
_VALUE = re.compile(
    r"\b(AKIA|ASIA)[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{36}"
    r"|\bhf_[A-Za-z0-9]{30,}|\bAIza[0-9A-Za-z_-]{35}|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."
    r"|AccountKey=|[?&]sig=[A-Za-z0-9%/+]{20,}|://[^/\s:@]+:[^/\s@]+@"
)


class NoSecrets(Rule):
    id = "ISO_JOB_013"
    severity = "critical"
    title = "No secret stands in a request"
    why = "A request is shown by the service to whoever may list jobs, and is kept in logs and files."
    fix = "Let the program read it under the job's identity; on Kubernetes refer to a secret."
    control = 28
    citations = ("164.312(a)(2)(iv)", "164.514(c)")

    def any_service(self, job: JobRequest) -> Iterator[Flaw]:
        named = set()
        for place, name, value in variables(job):
            if _NAME.search(name) and not _OF_A_PLACE.search(name) and not _PLAIN.fullmatch(value):
                named.add(place)
                yield Flaw(place, f"holds {name} as it is")
        for place, text in job.texts:
            if _VALUE.search(text) and place.removesuffix(".value") not in named:
                yield Flaw(place, "holds what looks like a secret")


RULE = NoSecrets()
