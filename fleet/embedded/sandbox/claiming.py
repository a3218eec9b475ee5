"""Volumes that the Pods of a StatefulSet have by its claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.embedded.sandbox.objects import Object, at

Fields = Mapping[str, Any]


def volumes_with_claims(own: Sequence[Fields], claims: Sequence[Fields], of: str) -> list[Fields]:
    """A volume for each claim, then a template's own; a claim takes the place of its namesake.

    Args:
        of: ends the names of the claims of one Pod.
    """
    names = dict.fromkeys(at(it, "metadata", "name") or "" for it in claims)
    made = [{"name": it, "persistentVolumeClaim": {"claimName": f"{it}{of}"}} for it in names]
    return [*made, *(it for it in own if it["name"] not in names)]


def with_claimed_volumes(obj: Object) -> Object:
    """A StatefulSet as an API server checks it: its containers may mount its claims.

    Anything else is answered as it is.
    """
    claims = obj["kind"] == "StatefulSet" and at(obj, "spec", "volumeClaimTemplates")
    pod = at(obj, "spec", "template", "spec")
    if not claims or not isinstance(pod, dict):
        return obj
    volumes = volumes_with_claims(pod.get("volumes") or (), claims, "")
    template = {**obj["spec"]["template"], "spec": {**pod, "volumes": volumes}}
    return {**obj, "spec": {**obj["spec"], "template": template}}
