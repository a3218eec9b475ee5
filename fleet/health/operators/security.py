"""Certificates, secrets, identities and policies."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, words
from fleet.model.health import HealthStatus

_ANY = frozenset({"*"})
_READY = Rule(wanted=("Ready",))
_ACME = Rule(
    said=(
        words(
            path="status.state",
            healthy=("valid",),
            progressing=("pending", "processing", "ready"),
            degraded=("invalid", "expired", "errored"),
            message="status.reason",
        ),
    ),
)
_SECRETS_OPERATOR = Rule(
    said=(words(path="status.valid", healthy=("true",), degraded=("false",)),),
    wanted=("Ready",),
    absent=HealthStatus.HEALTHY,
)
_KEYCLOAK = Rule(failing=("HasErrors",), doing=("RollingUpdate",), wanted=("Ready",), pending=_ANY)
_VAULT_CONFIG = Rule(failing=("ReconcileError",), wanted=("ReconcileSuccessful",))
#: Policies that only match the requests of an admission say so once their rules are in use.
_KYVERNO = Rule(
    wanted=("Ready",),
    pending=frozenset({"Pending"}),
    absent=HealthStatus.HEALTHY,
)

TABLE: Mapping[str, Mapping[str, Judge]] = {
    "cert-manager.io": {
        "Certificate": Rule(doing=("Issuing",), wanted=("Ready",)),
        "CertificateRequest": Rule(
            failing=("Denied", "InvalidRequest"),
            wanted=("Ready",),
            pending=frozenset({"Pending"}),
        ),
        "ClusterIssuer": _READY,
        "Issuer": _READY,
    },
    "acme.cert-manager.io": {"Challenge": _ACME, "Order": _ACME},
    "trust.cert-manager.io": {"Bundle": Rule(wanted=("Synced",))},
    "policy.cert-manager.io": {"CertificateRequestPolicy": _READY},
    "awspca.cert-manager.io": {"*": _READY},
    "external-secrets.io": {"*": _READY},
    "generators.external-secrets.io": {"*": Rule(absent=None)},
    "bitnami.com": {"SealedSecret": Rule(wanted=("Synced",))},
    "isindir.github.com": {
        "SopsSecret": Rule(
            said=(
                words(
                    healthy=("Healthy",),
                    path="status.message",
                    progressing=("In Progress",),
                ),
            ),
            otherwise=HealthStatus.DEGRADED,
        ),
    },
    "secrets.hashicorp.com": {"*": _SECRETS_OPERATOR},
    "redhatcop.redhat.io": {"*": _VAULT_CONFIG},
    "vault.banzaicloud.com": {"Vault": Rule(wanted=("Healthy",), pending=_ANY)},
    "onepassword.com": {"OnePasswordItem": _READY},
    "secrets.doppler.com": {"DopplerSecret": Rule(wanted=("secrets.doppler.com/SecretSyncReady",))},
    "secrets.infisical.com": {"*": Rule(wanted=("secrets.infisical.com/ReadyToSyncSecrets",))},
    "k8s.keycloak.org": {
        "Keycloak": _KEYCLOAK,
        "KeycloakRealmImport": Rule(
            failing=("HasErrors",), doing=("Started",), wanted=("Done",), pending=_ANY
        ),
    },
    "keycloak.org": {
        "*": Rule(
            said=(
                words(
                    path="status.ready",
                    healthy=("true",),
                    progressing=("false",),
                ),
            ),
        ),
    },
    "kyverno.io": {
        "ClusterPolicy": _KYVERNO,
        "Policy": _KYVERNO,
        "ClusterCleanupPolicy": _KYVERNO,
        "CleanupPolicy": _KYVERNO,
        "*": Rule(absent=None),
    },
    "policies.kyverno.io": {
        "*": Rule(
            said=(
                words(
                    path="status.conditionStatus.ready",
                    healthy=("true",),
                    progressing=("false",),
                    message="status.conditionStatus.message",
                ),
            ),
            absent=HealthStatus.HEALTHY,
        ),
    },
    "templates.gatekeeper.sh": {
        "ConstraintTemplate": Rule(
            said=(words(path="status.created", healthy=("true",), progressing=("false",)),),
        ),
    },
    "policies.kubewarden.io": {
        "*": Rule(
            said=(
                words(
                    path="status.policyStatus",
                    healthy=("active",),
                    progressing=("unscheduled", "scheduled", "pending"),
                ),
            ),
            absent=None,
        ),
    },
    "addons.projectcapsule.dev": {"*": Rule(wanted=("Ready",), pending=_ANY, absent=None)},
}
