"""Who may do what, as people write it: Argo CD's ``argocd-rbac-cm``, and who asks."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.errors import Place, SpecInvalid
from fleet.model.argo_settings import RBAC
from fleet.model.documents import kept
from fleet.model.objects import Manifest

RBAC_CONFIG = RBAC
#: What applies to a Fleet that was given no policy.
NO_POLICY: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": RBAC_CONFIG}}

_CSV_KEY, _OVERLAY = "policy.csv", "policy."
_SETTINGS = frozenset({"policy.default", "policy.matchMode"})
_LARGEST = 1 << 20  # characters of all policies together; a ConfigMap holds no more


@dataclass(frozen=True, slots=True)
class RbacConfig:
    """The policy as it is written; ``policy.read_policy`` reads it.

    Attributes:
        texts: key and CSV, ``policy.csv`` first, then the overlays by key.
        default_role: of whoever has signed in; "" for none.
        mode: ``policy.matchMode``; "" for the default.
    """

    texts: tuple[tuple[str, str], ...]
    default_role: str
    mode: str
    document: Manifest
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks for something: an account with its groups, or a role of a project.

    Attributes:
        name: of the account, or ``proj:<project>:<role>``.
        role: one of ``admin``, ``readonly``, ``project:<name>`` and ``none``; "" for a role
            of a project.
        project: whose role it is, and what it is confined to; "" for an account.
    """

    name: str
    role: str = ""
    groups: tuple[str, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True)
class ProjectRole:
    """A role of an AppProject: its rules as CSV lines, and the groups that have it."""

    project: str
    name: str
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    description: str = ""

    @property
    def subject(self) -> str:
        return role_subject(self.project, self.name)


def role_subject(project: str, role: str) -> str:
    """How policies call a role of a project."""
    return f"proj:{project}:{role}"


def parse_rbac_config(doc: Manifest, *, file: str = "", line: int = 0) -> RbacConfig:
    """The ConfigMap ``argocd-rbac-cm``; its CSV is read elsewhere.

    Raises:
        SpecInvalid: a value is no text, or there is too much of it.
    """
    data = doc.get("data") or {}
    if not isinstance(data, dict):
        raise SpecInvalid("is not a mapping", place=Place(file, line, "data"))
    for key, value in data.items():
        if not isinstance(value, str):
            raise SpecInvalid("is not a text", place=Place(file, line, f"data.{key}"))
    texts = [(key, data[key]) for key in sorted(data) if _is_csv(key)]
    texts.sort(key=lambda entry: entry[0] != _CSV_KEY)
    if sum(len(text) for _, text in texts) > _LARGEST:
        raise SpecInvalid(
            f"has more than {_LARGEST} characters of policies", place=Place(file, line, "data")
        )
    known = {key for key, _ in texts} | _SETTINGS | {"scopes"}
    return RbacConfig(
        texts=tuple(texts),
        default_role=data.get("policy.default", "").strip(),
        mode=data.get("policy.matchMode", "").strip(),
        document=kept(doc),
        warnings=tuple(f"data.{key}: kept, and read by nothing" for key in sorted({*data} - known)),
    )


def _is_csv(key: str) -> bool:
    return key == _CSV_KEY or (key.startswith(_OVERLAY) and key.endswith(".csv"))
