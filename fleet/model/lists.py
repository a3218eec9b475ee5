"""Lists of objects, as ``kubectl get -o yaml`` and many charts write them."""

from __future__ import annotations

from fleet.model.objects import Manifest


def flattened(manifest: Manifest) -> list[Manifest]:
    """The items of a List, of Lists in it too, in order; any other object alone.

    An item of a typed List (``ConfigMapList``) may leave out its apiVersion and kind. What is
    no object becomes an empty one, so that it is noticed later instead of lost here.
    """
    flat: list[Manifest] = []
    waiting = [manifest]
    while waiting:
        current = waiting.pop()
        kind, items = current.get("kind"), current.get("items")
        if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
            flat.append(current)
            continue
        implied = {"apiVersion": current.get("apiVersion"), "kind": kind.removesuffix("List")}
        of_items = {} if kind == "List" else implied
        # What is no object is kept as an empty one: it becomes a problem, never a silent loss.
        waiting.extend(
            of_items | item if isinstance(item, dict) else {} for item in reversed(items)
        )
    return flat
