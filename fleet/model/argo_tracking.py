"""Which application of Argo CD an object belongs to, as Argo CD itself tells it.

Argo CD marks what it deploys: by an annotation that names the application and the object, by a
label that names the application, or by both. Keys, defaults and forms: ``features.md`` §3.6.
Objects are read from clusters and are hostile: every reader here is total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fleet.errors import Place, SpecInvalid
from fleet.model.objects import Manifest, ObjectRef, annotations_of, labels_of

TRACKING_ID = "argocd.argoproj.io/tracking-id"
INSTALLATION_ID = "argocd.argoproj.io/installation-id"
DEFAULT_LABEL = "app.kubernetes.io/instance"
#: Field manager of what Argo CD writes.
ARGO_MANAGER = "argocd-controller"

_METHOD, _LABEL, _INSTALLATION = (
    "application.resourceTrackingMethod",
    "application.instanceLabelKey",
    "installationID",
)
#: Keys of ``argocd-cm`` that are read here.
TRACKING_KEYS = frozenset({_METHOD, _LABEL, _INSTALLATION})


class TrackingMethod(StrEnum):
    """By what Argo CD knows its own objects."""

    ANNOTATION = "annotation"
    BOTH = "annotation+label"  # the annotation counts, the label is for people
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Claim:
    """What an object says of the application that it belongs to.

    Attributes:
        application: ``name``, or ``namespace_name`` of one outside of Argo CD's own namespace.
        installation: id of the Argo CD that has it; None where the mark cannot tell.
    """

    application: str
    installation: str | None = None

    def __str__(self) -> str:
        where = f" of the installation {self.installation}" if self.installation else ""
        return f"Argo CD's application {self.application}{where}"


@dataclass(frozen=True, slots=True)
class ArgoTracking:
    """How the Argo CD in question marks its objects.

    Attributes:
        method: None where nobody said: its default changed over time, so the annotation counts,
            and the label on objects that Argo CD wrote and that have no annotation.
        installation: of that Argo CD; None where nobody said.
    """

    method: TrackingMethod | None = None
    label: str = DEFAULT_LABEL
    installation: str | None = None

    def claim_on(
        self,
        ref: ObjectRef,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        managers: frozenset[str],
    ) -> Claim | None:
        """Who claims the object; None: nobody.

        Args:
            managers: that wrote fields of it.
        """
        if self.method is not TrackingMethod.LABEL:
            found = _annotated(ref, annotations)
            if found is not None or self.method is not None or ARGO_MANAGER not in managers:
                return found
        name = labels.get(self.label, "")
        return Claim(name) if name else None

    def kept_fields(self, wanted: Manifest) -> dict[str, Any]:
        """Field set of the marks that stay Argo CD's when an object is taken over, so that
        it knows its objects again; but what Git holds itself is ours."""
        marks = {TRACKING_ID, INSTALLATION_ID} - annotations_of(wanted).keys()
        has_label = self.method is TrackingMethod.ANNOTATION or self.label in labels_of(wanted)
        labels = set() if has_label else {self.label}
        found = {"f:annotations": marks, "f:labels": labels}
        return {
            "f:metadata": {
                part: {f"f:{name}": {} for name in sorted(names)}
                for part, names in found.items()
                if names
            }
        }


def _annotated(ref: ObjectRef, annotations: Mapping[str, str]) -> Claim | None:
    """``application:group/Kind:namespace/name``. One that names another object was copied from
    there, as controllers do. Of objects without a namespace Argo CD writes the application's."""
    name, _, about = annotations.get(TRACKING_ID, "").partition(":")
    kind, _, place = about.partition(":")
    namespace, _, object = place.partition("/")
    is_self = (
        kind == f"{ref.group}/{ref.kind}"
        and object == ref.name
        and (not ref.namespace or namespace == ref.namespace)
    )
    return Claim(name, annotations.get(INSTALLATION_ID, "")) if name and is_self else None


@dataclass(frozen=True, slots=True)
class Takeover:
    """Whose objects are to be taken over.

    Attributes:
        applications: of Argo CD, as claims name them; ``*`` stands for all.
        installation: its id; None: nobody knows it, and objects that name none are taken.
        leftovers: what these applications have and Git does not hold, and is to be deleted.
    """

    applications: tuple[str, ...]
    installation: str | None = None
    leftovers: tuple[ObjectRef, ...] = ()

    def why_not(self, claim: Claim | None) -> str:
        """Why an object with this claim is not to be taken; "" when it is."""
        if claim is None:
            return ""
        if claim.application not in self.applications and "*" not in self.applications:
            return f"{claim} tracks it"
        if claim.installation is None or claim.installation == (self.installation or ""):
            return ""
        return f"{claim} tracks it" if claim.installation else f"{claim} of no installation has it"


def names_of(name: str, namespace: str) -> tuple[str, ...]:
    """What Argo CD may call an application in its marks."""
    return (name, f"{namespace}_{name}") if namespace else (name,)


def read_tracking(data: Mapping[str, str]) -> ArgoTracking:
    """What the keys of an ``argocd-cm`` say.

    Args:
        data: of which other keys are skipped; {} where there is none.

    Raises:
        SpecInvalid: a tracking method that there is not.
    """
    method = data.get(_METHOD, "").strip()
    if method and method not in set(TrackingMethod):
        raise SpecInvalid(
            f"{method!r} is no tracking method",
            place=Place(field=f"data.{_METHOD}"),
            hint=f"Known are {', '.join(TrackingMethod)}.",
        )
    return ArgoTracking(
        TrackingMethod(method) if method else None,
        data.get(_LABEL, "").strip() or DEFAULT_LABEL,
        data[_INSTALLATION].strip() if _INSTALLATION in data else None,
    )
