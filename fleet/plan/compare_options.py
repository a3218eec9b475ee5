"""Compare options of one object, in its annotation ``argocd.argoproj.io/compare-options``."""

from __future__ import annotations

from collections.abc import Mapping

COMPARE_OPTIONS_ANNOTATION = "argocd.argoproj.io/compare-options"


def includes_mutations(application: Mapping[str, str], own: Mapping[str, str]) -> bool:
    """Whether what mutating webhooks would change is shown as a difference, too.

    Args:
        application: annotations of the Application; ``own`` those of the object, which win.
    """
    found = _options(application) | _options(own)
    return found.get("IncludeMutationWebhook", "false") != "false"


def ignores_extraneous(annotations: Mapping[str, str]) -> bool:
    """Whether the object makes no difference once it is no longer in Git. It is still pruned."""
    return _options(annotations).get("IgnoreExtraneous", "false") != "false"


def _options(annotations: Mapping[str, str]) -> dict[str, str]:
    """Name → value; an option without a value is switched on."""
    found = {}
    for option in annotations.get(COMPARE_OPTIONS_ANNOTATION, "").split(","):
        name, _, value = (part.strip() for part in option.partition("="))
        if name:
            found[name] = value
    return found
