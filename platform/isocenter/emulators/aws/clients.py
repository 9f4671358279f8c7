"""boto3's clients of the emulated account, for what the service does on a job's behalf."""

import threading
from typing import Any

ACCESS_KEY = "emulated"
ACCOUNT = "123456789012"


class Clients:
    """Clients of the services at ``address``, made once for each region; safe in several threads."""

    def __init__(self, address: str) -> None:
        from boto3.session import Session

        self._address = address
        self._session = Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key=ACCESS_KEY)
        self._lock = threading.Lock()
        self._made: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        """The client of ``service`` in ``region``."""
        with self._lock:
            if (service, region) not in self._made:
                self._made[service, region] = self._session.client(
                    service, region_name=region, endpoint_url=self._address
                )
            return self._made[service, region]
