"""Credential plugins that are well known: the clouds' own and the OIDC helpers.

The one list of them. What may run unless the settings say otherwise is what is in it, and
nothing is in it that was not looked at: most are a whole cloud's command line, of which
only the one thing that prints a credential may be asked for.

``az`` is not in it: it has no such thing, and AKS uses ``kubelogin``.
"""

from __future__ import annotations

#: By command: the words with which its arguments have to begin, in the ways that there are.
#: () is a helper that does nothing else.
CREDENTIAL_COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "aws": (("eks", "get-token"),),
    "aws-iam-authenticator": (("token",),),
    "doctl": (("kubernetes", "cluster", "kubeconfig", "exec-credential"),),
    "gke-gcloud-auth-plugin": ((),),
    "kubectl-oidc_login": (("get-token",),),
    "kubelogin": (("get-token",),),
    "oci": (("ce", "cluster", "generate-token"),),
    "rancher": (("token",),),
    "scw": (("k8s", "exec-credential"),),
    "tsh": (("kube", "credentials"),),
    "yc": (("managed-kubernetes", "create-token"), ("k8s", "create-token")),
}
WELL_KNOWN_EXEC = tuple(CREDENTIAL_COMMANDS)
