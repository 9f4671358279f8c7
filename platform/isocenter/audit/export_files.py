"""Names of the files of an exported trail."""

RECORDS = "records.jsonl"
HEADS = "heads.jsonl"
PUBLIC_KEY = "signing.pub"
