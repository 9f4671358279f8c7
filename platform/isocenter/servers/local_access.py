"""Whose tokens a local endpoint takes: the settings that its serving processes get for that."""

import json
from collections.abc import Mapping

from isocenter.home import Home


def access_environment(home: Home, endpoint: str) -> Mapping[str, str]:
    """Variables by which the serving processes of ``endpoint`` know whose tokens to take.

    They are those of the store's development issuer (``isocenter endpoint token``): an endpoint is never an
    open door.

    Args:
        home: the store, which holds the issuer's key.
        endpoint: the audience of its tokens.
    """
    from isocenter.issuer import open_issuer_keys
    from isocenter.issuer.signing_keys import ALGORITHM
    from isocenter.issuer.token import endpoint_audience

    keys = open_issuer_keys(home)
    access = {
        "issuer": keys.issuer,
        "audience": endpoint_audience(endpoint),
        "jwks_file": str(keys.jwks_file.resolve()),
        "algorithms": [ALGORITHM],
        # The file is at hand: a revoked key is out within seconds.
        "keys_for_s": 5,
        "keys_outlive_s": 0,
        "refetch_after_s": 1,
    }
    return {"ISOCENTER_SERVING_ACCESS": json.dumps(access)}
