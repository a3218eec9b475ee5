"""Which volumes the Pods of a StatefulSet have."""

from __future__ import annotations

from fleet.embedded.sandbox.claiming import volumes_with_claims, with_claimed_volumes

CLAIMS = [{"metadata": {"name": "data"}}, {"metadata": {"name": "logs"}}]
OWN = [{"name": "logs", "emptyDir": {}}, {"name": "config", "configMap": {"name": "a"}}]


def test_claims_come_first_and_in_place_of_their_namesakes() -> None:
    assert volumes_with_claims(OWN, CLAIMS, "-web-0") == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}},
        {"name": "logs", "persistentVolumeClaim": {"claimName": "logs-web-0"}},
        OWN[1],
    ]


def test_what_claims_nothing_is_left_as_it_is() -> None:
    for kind in ("Deployment", "StatefulSet"):
        obj = {"kind": kind, "spec": {"template": {"spec": {"volumes": OWN}}}}
        assert with_claimed_volumes(obj) is obj
    half = {"kind": "StatefulSet", "spec": {"volumeClaimTemplates": CLAIMS}}
    assert with_claimed_volumes(half) is half
