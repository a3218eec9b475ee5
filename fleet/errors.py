"""Every error that Fleet raises on purpose, in one tree.

FleetError                       message · hint · transient · exit_code · http_status · object
├─ UsageError                    the caller asked for something malformed                2 · 400
│  ├─ SpecInvalid                a document users write, names file, line and field      2 · 422
│  └─ SettingsInvalid            a setting, names file, key and what was expected        2 · 500
├─ Unauthenticated               no token, or one that is wrong, expired or revoked      3 · 401
├─ Forbidden                     policy says no to this subject                          3 · 403
├─ NotFound                      no such thing, or none that the caller may see          3 · 404
├─ AlreadyExists                 the name, URL or cluster is taken                       3 · 409
├─ Refused                       the state does not allow it; says what would            3 · 409
│  ├─ PlanRefused                a guard stopped a sync: empty render, prune limit, gate 3 · 409
│  ├─ WindowClosed               sync windows say no; names the window, and until when  3 · 409
│  └─ IdentityChanged            another cluster answers at a known address              3 · 409
├─ NotConverged                  waited, and it did not become what was asked            1 · 409
├─ SourceError                   a repository or chart could not give a tree             3 · 502
│  ├─ SourceUnreachable          network, timeout, server error; transient               4 · 502
│  ├─ SourceAuthFailed           credentials or host key refused                         3 · 502
│  ├─ RevisionNotFound           no such branch, tag, commit or chart version            3 · 404
│  └─ AddressForbidden           a URL that the address rules do not allow               3 · 403
├─ RenderError                   a tree did not become manifests; names path and line    3 · 422
│  ├─ RenderTimeout              the tool ran past its limit and was killed              3 · 422
│  ├─ InputsMissing              names charts or bases that are to be fetched first      3 · 422
│  └─ ToolMissing                helm or kubectl is not there; says how to get it        3 · 500
├─ ExpressionFailed              a user's expression is wrong, or used up its limits     3 · 422
├─ ClusterError                  a cluster did not do what it was asked                  3 · 502
│  ├─ ClusterUnreachable         refused, timed out, 5xx, TLS; transient                 4 · 502
│  │  └─ ClusterBusy             429; carries retry_after_seconds; transient             4 · 503
│  ├─ ClusterAuthFailed          401, expired or revoked credentials                     3 · 502
│  ├─ KindUnknown                the cluster does not serve this group and kind          3 · 422
│  ├─ WatchExpired               410 Gone: list again; transient                         3 · 502
│  └─ ObjectRejected             the API server refused one object                       3 · 422
│     ├─ FieldConflict           another manager owns fields that we would set           3 · 409
│     ├─ ImmutableField          the field cannot change on a live object                3 · 422
│     ├─ FieldUnknown            the kind's schema has no such field                     3 · 422
│     └─ AdmissionDenied         an admission webhook or policy said no                  3 · 422
├─ RegistryError                 PostgreSQL did not do what it was asked                 3 · 500
│  ├─ RegistryUnavailable        down, full, restarting; transient                       4 · 503
│  ├─ SchemaMismatch             the database is older or newer than this program        3 · 503
│  ├─ LeaseLost                  another process took over; this one must not write      3 · 503
│  └─ SealBroken                 a sealed credential cannot be opened                    3 · 500
├─ NoWorker                      nothing is running that could do the work               4 · 503
└─ ServerUnreachable             the CLI cannot reach the Fleet server; transient        4 · 502

``transient`` is the one fact that backoff reads. The three figures beside each name
are the ones the class declares; ``tests/rules`` compares this drawing with the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


class FleetError(Exception):
    """An expected failure, told in the words of the person who has to act on it.

    Args:
        message: what failed, starting with the thing it failed on. Never holds a secret.
        hint: what to do next, as a full sentence; empty when there is nothing to add.
        object: the thing concerned, e.g. ``Deployment/shop/web`` or ``Cluster/eu-1``.
    """

    transient: ClassVar[bool] = False
    exit_code: ClassVar[int] = 3
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, hint: str = "", object: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.object = object

    @property
    def type(self) -> str:
        """The class name: the stable word by which API clients tell errors apart."""
        return type(self).__name__

    def as_dict(self) -> dict[str, Any]:
        """The one error shape of API, ``-o json`` and UI, without the ``error`` envelope."""
        shape: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.hint:
            shape["hint"] = self.hint
        if self.object:
            shape["object"] = self.object
        if self.transient:
            shape["transient"] = True
        return shape


class UsageError(FleetError):
    exit_code = 2
    http_status = 400


@dataclass(frozen=True)
class Place:
    """Where in the user's input something is wrong; empty parts are unknown."""

    file: str = ""
    line: int = 0
    field: str = ""

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" if self.file and self.line else self.file
        if not self.file and self.line:
            at = f"line {self.line}"
        return ": ".join(part for part in (at, self.field) if part)


class SpecInvalid(UsageError):
    """A document that users write is wrong at ``place``."""

    http_status = 422

    def __init__(
        self, message: str, *, place: Place | None = None, hint: str = "", object: str = ""
    ) -> None:
        self.place = place or Place()
        prefix = str(self.place)
        super().__init__(f"{prefix}: {message}" if prefix else message, hint=hint, object=object)
        self.bare_message = message

    def as_dict(self) -> dict[str, Any]:
        shape = super().as_dict()
        if self.place.field:
            shape["field"] = self.place.field
        return shape


class SettingsInvalid(UsageError):
    http_status = 500


class Unauthenticated(FleetError):
    http_status = 401


class Forbidden(FleetError):
    http_status = 403


#: Kind of what is named in vain → the command that lists those that there are.
_LISTS = {
    "Account": "`fleet account list`",
    "AppProject": "`fleet proj list`",
    "Application": "`fleet app list`",
    "Cluster": "`fleet cluster list`",
    "ConfigManagementPlugin": "`fleet plugin list`",
    "DecryptionKey": "`fleet decryption-key list`",
    "RepoCredential": "`fleet repocreds list`",
    "Repository": "`fleet repo list`",
    "SigningKey": "`fleet gpg list`",
}


class NotFound(FleetError):
    """Says where to look: a hint that is only a guess, or none, is completed by the command
    that lists what is there of the object's kind."""

    http_status = 404

    def __init__(self, message: str, *, hint: str = "", object: str = "") -> None:
        command = _LISTS.get(object.partition("/")[0])
        if command and "`" not in hint:
            hint = f"{hint} {command} lists those that there are.".lstrip()
        super().__init__(message, hint=hint, object=object)


class AlreadyExists(FleetError):
    http_status = 409


class Refused(FleetError):
    http_status = 409


class PlanRefused(Refused):
    pass


class WindowClosed(Refused):
    pass


class IdentityChanged(Refused):
    pass


class NotConverged(FleetError):
    exit_code = 1
    http_status = 409


class SourceError(FleetError):
    http_status = 502


class SourceUnreachable(SourceError):
    transient = True
    exit_code = 4


class SourceAuthFailed(SourceError):
    pass


class RevisionNotFound(SourceError):
    http_status = 404


class AddressForbidden(SourceError):
    http_status = 403


class RenderError(FleetError):
    http_status = 422


class RenderTimeout(RenderError):
    pass


class InputsMissing(RenderError):
    """A render needs what is neither in its tree nor handed in.

    Args:
        charts: ``(name, version or range, repository)`` of each chart.
        bases: the entries of kustomizations that are no local path, to the letter.
        files: URLs of single files.
        keys: whether keys of encrypted files are needed.
    """

    def __init__(
        self,
        message: str,
        *,
        charts: tuple[tuple[str, str, str], ...] = (),
        bases: tuple[str, ...] = (),
        files: tuple[str, ...] = (),
        keys: bool = False,
        hint: str = "",
        object: str = "",
    ) -> None:
        super().__init__(message, hint=hint, object=object)
        self.charts = charts
        self.bases = bases
        self.files = files
        self.keys = keys


class ToolMissing(RenderError):
    http_status = 500


class ExpressionFailed(FleetError):
    http_status = 422


class ClusterError(FleetError):
    http_status = 502


class ClusterUnreachable(ClusterError):
    transient = True
    exit_code = 4


class ClusterBusy(ClusterUnreachable):
    """The API server asked us to come back later (429, or 503 with Retry-After)."""

    http_status = 503

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class ClusterAuthFailed(ClusterError):
    pass


class KindUnknown(ClusterError):
    http_status = 422


class WatchExpired(ClusterError):
    transient = True


class ObjectRejected(ClusterError):
    """The API server refused one object.

    Args:
        reason: the server's ``Status.reason``, e.g. ``Invalid``.
    """

    http_status = 422

    def __init__(self, message: str, *, reason: str = "", hint: str = "", object: str = "") -> None:
        super().__init__(message, hint=hint, object=object)
        self.reason = reason


class FieldConflict(ObjectRejected):
    """Another field manager owns fields that an apply would set.

    Args:
        conflicts: one ``(manager, field path)`` a conflicting field, as the server named them.
    """

    http_status = 409

    def __init__(
        self,
        message: str,
        *,
        conflicts: tuple[tuple[str, str], ...] = (),
        hint: str = "",
        object: str = "",
    ) -> None:
        super().__init__(message, reason="Conflict", hint=hint, object=object)
        self.conflicts = conflicts


class ImmutableField(ObjectRejected):
    pass


class FieldUnknown(ObjectRejected):
    """The kind's schema does not have some of the fields of an object.

    Args:
        fields: their paths, as the server spells them; () when it named none.
    """

    def __init__(
        self, message: str, *, fields: tuple[str, ...] = (), hint: str = "", object: str = ""
    ) -> None:
        super().__init__(message, reason="Invalid", hint=hint, object=object)
        self.fields = fields


class AdmissionDenied(ObjectRejected):
    pass


class RegistryError(FleetError):
    pass


class RegistryUnavailable(RegistryError):
    transient = True
    exit_code = 4
    http_status = 503


class SchemaMismatch(RegistryError):
    http_status = 503


class LeaseLost(RegistryError):
    http_status = 503


class SealBroken(RegistryError):
    pass


class NoWorker(FleetError):
    exit_code = 4
    http_status = 503


class ServerUnreachable(FleetError):
    transient = True
    exit_code = 4
    http_status = 502
