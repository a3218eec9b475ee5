"""Compare options of one object, in its annotation ``argocd.argoproj.io/compare-options``."""

from __future__ import annotations

from collections.abc import Mapping

COMPARE_OPTIONS_ANNOTATION = "argocd.argoproj.io/compare-options"


def ignores_extraneous(annotations: Mapping[str, str]) -> bool:
    """Whether the object makes no difference once it is no longer in Git. It is still pruned."""
    options = annotations.get(COMPARE_OPTIONS_ANNOTATION, "").split(",")
    return any(
        option.strip() in ("IgnoreExtraneous", "IgnoreExtraneous=true") for option in options
    )
