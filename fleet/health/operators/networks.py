"""Gateway API, meshes, load balancers, DNS and network policies."""

from __future__ import annotations

from collections.abc import Mapping

from fleet.health.rules import Judge, Rule, words
from fleet.model.health import HealthStatus

_ANY = frozenset({"*"})
#: A route is as well as the worst of the gateways that it was attached to says.
_ROUTE = Rule(
    observed=False,
    within="status.parents",
    wanted=("Accepted", "ResolvedRefs"),
    pending=frozenset({"Pending"}),
)
_ROUTE_POLICY = Rule(
    observed=False, within="status.ancestors", wanted=("Accepted",), pending=frozenset({"Pending"})
)
_GATEWAY_PENDING = frozenset({"Pending", "AddressNotAssigned", "Scheduled", "Waiting"})
#: Istio's own kinds only speak when their analysis found something.
_ISTIO = Rule(wanted=("PassedValidation", "Reconciled"), absent=None)
_VALID = words(
    path="status.currentStatus",
    healthy=("valid",),
    degraded=("invalid", "orphaned"),
    progressing=("NotReconciled",),
    message="status.description",
)
_GLOO = Rule(
    said=(
        words(
            path="status.state",
            healthy=("Accepted",),
            progressing=("Pending",),
            degraded=("Rejected", "Warning"),
            message="status.reason",
        ),
    ),
    absent=None,
)
_KONG = Rule(wanted=("Programmed",), pending=frozenset({"Pending"}), absent=None)

TABLE: Mapping[str, Mapping[str, Judge]] = {
    "gateway.networking.k8s.io": {
        "BackendTLSPolicy": _ROUTE_POLICY,
        "Gateway": Rule(wanted=("Accepted", "Programmed"), pending=_GATEWAY_PENDING),
        "GatewayClass": Rule(wanted=("Accepted",), pending=frozenset({"Pending", "Waiting"})),
        "GRPCRoute": _ROUTE,
        "HTTPRoute": _ROUTE,
        "TCPRoute": _ROUTE,
        "TLSRoute": _ROUTE,
        "UDPRoute": _ROUTE,
        "ReferenceGrant": Rule(absent=None),
    },
    "gateway.envoyproxy.io": {
        "EnvoyProxy": Rule(absent=None),
        "*": _ROUTE_POLICY,
    },
    "networking.istio.io": {"*": _ISTIO},
    "security.istio.io": {"*": _ISTIO},
    "telemetry.istio.io": {"*": _ISTIO},
    "extensions.istio.io": {"*": _ISTIO},
    "install.istio.io": {
        "IstioOperator": Rule(
            said=(
                words(
                    path="status.status",
                    healthy=("HEALTHY", "NONE"),
                    progressing=("UPDATING", "RECONCILING"),
                    degraded=("ERROR",),
                    suspended=("ACTION_REQUIRED",),
                ),
            ),
        ),
    },
    "sailoperator.io": {"*": Rule(wanted=("Reconciled", "Ready"), pending=_ANY)},
    "policy.linkerd.io": {
        "HTTPRoute": _ROUTE,
        "*": Rule(absent=None),
    },
    "metallb.io": {
        "ConfigurationState": Rule(
            said=(
                words(
                    path="status.result",
                    healthy=("Valid",),
                    degraded=("Invalid",),
                    progressing=("Unknown",),
                    message="status.errorSummary",
                ),
            ),
        ),
        "*": Rule(absent=None),
    },
    "cilium.io": {
        "CiliumClusterwideNetworkPolicy": Rule(wanted=("Valid",), absent=HealthStatus.HEALTHY),
        "CiliumNetworkPolicy": Rule(wanted=("Valid",), absent=HealthStatus.HEALTHY),
        "CiliumLoadBalancerIPPool": Rule(
            failing=("cilium.io/PoolConflict",), absent=HealthStatus.HEALTHY
        ),
        "*": Rule(absent=None),
    },
    "operator.tigera.io": {
        "TigeraStatus": Rule(
            failing=("Degraded",), doing=("Progressing",), wanted=("Available",), pending=_ANY
        ),
    },
    "projectcontour.io": {
        "ContourDeployment": Rule(absent=None),
        "HTTPProxy": Rule(said=(_VALID,)),
        "TLSCertificateDelegation": Rule(absent=None),
    },
    "configuration.konghq.com": {"*": _KONG},
    "gateway-operator.konghq.com": {"*": Rule(wanted=("Ready",), pending=_ANY)},
    "k8s.nginx.org": {
        "*": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Valid",),
                    degraded=("Invalid",),
                    progressing=("Warning",),
                ),
            ),
            absent=None,
        ),
    },
    "getambassador.io": {
        "Host": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Ready",),
                    progressing=("Initial", "Pending"),
                    degraded=("Error",),
                    message="status.errorReason",
                ),
            ),
        ),
        "Mapping": Rule(
            said=(
                words(
                    path="status.state",
                    healthy=("Running",),
                    degraded=("Inactive",),
                    message="status.reason",
                ),
            ),
            absent=HealthStatus.HEALTHY,
        ),
        "*": Rule(absent=None),
    },
    "gateway.solo.io": {"*": _GLOO},
    "gloo.solo.io": {"*": _GLOO},
    "networking.gke.io": {
        "ManagedCertificate": Rule(
            said=(
                words(
                    path="status.certificateStatus",
                    healthy=("Active",),
                    progressing=("Provisioning",),
                    degraded=(
                        "ProvisioningFailed",
                        "ProvisioningFailedPermanently",
                        "RenewalFailed",
                    ),
                ),
            ),
        ),
    },
    "route.openshift.io": {
        "Route": Rule(
            within="status.ingress", wanted=("Admitted",), pending=frozenset({"Pending"})
        ),
    },
    "externaldns.k8s.io": {"DNSEndpoint": Rule(absent=HealthStatus.HEALTHY)},
    "tailscale.com": {
        "Connector": Rule(wanted=("ConnectorReady",)),
        "DNSConfig": Rule(wanted=("NameserverReady",)),
        "ProxyClass": Rule(wanted=("ProxyClassReady",)),
        "ProxyGroup": Rule(wanted=("ProxyGroupReady",), pending=_ANY),
        "*": Rule(absent=None),
    },
}
