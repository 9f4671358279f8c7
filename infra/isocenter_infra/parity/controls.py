"""The 35 controls, by number. The citations (45 CFR) say what a control serves, not that it suffices."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Control:
    """One control: what is true of every deployment, in every cloud."""

    number: int
    title: str
    citations: tuple[str, ...]


CONTROLS = (
    Control(1, "Customer-managed keys at rest, rotated", ("164.312(a)(2)(iv)",)),
    Control(2, "Buckets with patient data encrypted under such a key", ("164.312(a)(2)(iv)",)),
    Control(3, "Versioning", ("164.312(c)(1)",)),
    Control(4, "Locked retention", ("164.312(c)(1)", "164.316(b)(2)(i)")),
    Control(5, "Public access blocked", ("164.312(a)(1)",)),
    Control(6, "TLS only", ("164.312(e)(1)", "164.312(e)(2)(ii)")),
    Control(7, "Object access without ACLs or account keys", ("164.312(a)(1)",)),
    Control(8, "Bucket access logs", ("164.312(b)",)),
    Control(9, "Control-plane audit trail", ("164.312(b)",)),
    Control(10, "Data-access events of patient data", ("164.312(b)", "164.308(a)(1)(ii)(D)")),
    Control(11, "Audit logs kept locked for six years or more", ("164.316(b)(2)(i)",)),
    Control(12, "Integrity of logs", ("164.312(c)(2)",)),
    Control(13, "Alarms on unauthorised access", ("164.308(a)(1)(ii)(D)", "164.308(a)(6)(ii)")),
    Control(14, "Threat detection", ("164.308(a)(1)(ii)(A)",)),
    Control(15, "Configuration drift and posture", ("164.308(a)(8)",)),
    Control(16, "Private network, no default one", ("164.312(e)(1)",)),
    Control(17, "Flow logs", ("164.312(b)",)),
    Control(18, "Private service endpoints", ("164.312(e)(1)",)),
    Control(19, "Exfiltration perimeter", ("164.312(e)(1)",)),
    Control(20, "Egress denied by default", ("164.312(e)(1)",)),
    Control(21, "Workload identities with least privilege", ("164.308(a)(4)(ii)(B)", "164.312(a)(2)(i)")),
    Control(22, "Keyless CI (OIDC)", ("164.312(d)",)),
    Control(23, "Read-only auditor role", ("164.308(a)(1)(ii)(D)",)),
    Control(24, "Break-glass access", ("164.312(a)(2)(ii)",)),
    Control(25, "Registry encrypted, tags immutable", ("164.312(c)(1)",)),
    Control(26, "Image vulnerability scanning", ("164.308(a)(5)(ii)(B)",)),
    Control(27, "Image signatures admitted", ("164.312(c)(2)",)),
    Control(28, "Secrets and the key of the pseudonyms", ("164.312(a)(2)(iv)", "164.514(c)")),
    Control(29, "GPU training, isolated", ("164.312(a)(1)",)),
    Control(30, "Model registry", ("164.312(c)(1)",)),
    Control(31, "Endpoint autoscaling", ("164.308(a)(7)(ii)(C)",)),
    Control(32, "Copies in a second region", ("164.308(a)(7)(ii)(A)",)),
    Control(33, "Terraform state encrypted and locked", ("164.312(c)(1)",)),
    Control(34, "Budget guard", ()),
    Control(35, "Deletion guard", ("164.310(d)(2)(iv)",)),
)
