"""Argo CD's kinds as CustomResourceDefinitions, from the fields that its reference names.

Not its own file: a schema of the names and types of ``spec`` (Argo CD 3.x), enough for an API
server to refuse, with ``fieldValidation=Strict``, whatever Argo CD does not know.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "integer"}
TEXTS: Schema = {"type": "array", "items": TEXT}
MAP: Schema = {"type": "object", "additionalProperties": TEXT}
FREE: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def obj(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    made: Schema = {"type": "object", "properties": fields}
    return made | ({"required": list(required)} if required else {})


def listed(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    return {"type": "array", "items": obj(required, **fields)}


_VARS = listed(("name", "value"), name=TEXT, value=TEXT, code=FLAG)
_HELM = obj(
    valueFiles=TEXTS,
    ignoreMissingValueFiles=FLAG,
    values=TEXT,
    valuesObject=FREE,
    parameters=listed(name=TEXT, value=TEXT, forceString=FLAG),
    fileParameters=listed(name=TEXT, path=TEXT),
    releaseName=TEXT,
    version=TEXT,
    passCredentials=FLAG,
    skipCrds=FLAG,
    skipTests=FLAG,
    skipSchemaValidation=FLAG,
    namespace=TEXT,
    kubeVersion=TEXT,
    apiVersions=TEXTS,
)
_TARGET = obj(
    **dict.fromkeys(
        ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector"),
        TEXT,
    )
)
_KUSTOMIZE = obj(
    version=TEXT,
    namePrefix=TEXT,
    nameSuffix=TEXT,
    namespace=TEXT,
    images=TEXTS,
    replicas=listed(("name", "count"), name=TEXT, count={"x-kubernetes-int-or-string": True}),
    commonLabels=MAP,
    commonAnnotations=MAP,
    **dict.fromkeys(
        (
            "forceCommonLabels",
            "forceCommonAnnotations",
            "labelWithoutSelector",
            "labelIncludeTemplates",
            "commonAnnotationsEnvsubst",
            "ignoreMissingComponents",
        ),
        FLAG,
    ),
    patches=listed(
        path=TEXT,
        patch=TEXT,
        target=_TARGET,
        options={"type": "object", "additionalProperties": FLAG},
    ),
    components=TEXTS,
    kubeVersion=TEXT,
    apiVersions=TEXTS,
)
_SOURCE = obj(
    ("repoURL",),
    repoURL=TEXT,
    path=TEXT,
    chart=TEXT,
    targetRevision=TEXT,
    tagPrefix=TEXT,
    ref=TEXT,
    name=TEXT,
    helm=_HELM,
    kustomize=_KUSTOMIZE,
    directory=obj(
        recurse=FLAG,
        include=TEXT,
        exclude=TEXT,
        jsonnet=obj(extVars=_VARS, tlas=_VARS, libs=TEXTS),
    ),
    plugin=obj(
        name=TEXT,
        env=listed(("name", "value"), name=TEXT, value=TEXT),
        parameters=listed(name=TEXT, string=TEXT, array=TEXTS, map=MAP),
    ),
)
_DIFFERENCES = listed(
    ("kind",),
    group=TEXT,
    kind=TEXT,
    name=TEXT,
    namespace=TEXT,
    jsonPointers=TEXTS,
    jqPathExpressions=TEXTS,
    managedFieldsManagers=TEXTS,
)
_SYNC_POLICY = obj(
    automated=obj(enabled=FLAG, prune=FLAG, selfHeal=FLAG, allowEmpty=FLAG),
    syncOptions=TEXTS,
    retry=obj(
        limit=NUMBER,
        refresh=FLAG,
        backoff=obj(duration=TEXT, factor=NUMBER, maxDuration=TEXT),
    ),
    managedNamespaceMetadata=obj(labels=MAP, annotations=MAP),
)
APPLICATION_SPEC = obj(
    ("destination", "project"),
    project=TEXT,
    source=_SOURCE,
    sources={"type": "array", "items": _SOURCE},
    sourceHydrator=FREE,
    destination=obj(server=TEXT, name=TEXT, namespace=TEXT),
    syncPolicy=_SYNC_POLICY,
    ignoreDifferences=_DIFFERENCES,
    info=listed(("name", "value"), name=TEXT, value=TEXT),
    revisionHistoryLimit=NUMBER,
)
_KINDS = listed(("group", "kind"), group=TEXT, kind=TEXT, name=TEXT)
PROJECT_SPEC = obj(
    description={"type": "string", "maxLength": 255},
    sourceRepos=TEXTS,
    sourceNamespaces=TEXTS,
    destinations=listed(server=TEXT, name=TEXT, namespace=TEXT),
    clusterResourceWhitelist=_KINDS,
    clusterResourceBlacklist=_KINDS,
    namespaceResourceWhitelist=_KINDS,
    namespaceResourceBlacklist=_KINDS,
    orphanedResources=obj(warn=FLAG, ignore=listed(group=TEXT, kind=TEXT, name=TEXT)),
    roles=listed(
        ("name",),
        name=TEXT,
        description=TEXT,
        policies=TEXTS,
        groups=TEXTS,
        jwtTokens=listed(("iat",), iat=NUMBER, exp=NUMBER, id=TEXT),
    ),
    syncWindows=listed(
        kind=TEXT,
        schedule=TEXT,
        duration=TEXT,
        applications=TEXTS,
        namespaces=TEXTS,
        clusters=TEXTS,
        manualSync=FLAG,
        timeZone=TEXT,
        andOperator=FLAG,
        description=TEXT,
        syncOverrun=FLAG,
    ),
    signatureKeys=listed(("keyID",), keyID=TEXT),
    sourceIntegrity=FREE,
    permitOnlyProjectScopedClusters=FLAG,
    destinationServiceAccounts=listed(
        ("defaultServiceAccount", "server"),
        server=TEXT,
        namespace=TEXT,
        defaultServiceAccount=TEXT,
    ),
)
_SPECS = {
    ("Application", "applications"): APPLICATION_SPEC,
    ("AppProject", "appprojects"): PROJECT_SPEC,
    ("ApplicationSet", "applicationsets"): FREE,
}


def definitions() -> list[dict[str, Any]]:
    """The three CustomResourceDefinitions."""
    return [_definition(kind, plural, spec) for (kind, plural), spec in _SPECS.items()]


def _definition(kind: str, plural: str, spec: Schema) -> dict[str, Any]:
    whole = obj(
        ("metadata", "spec"),
        apiVersion=TEXT,
        kind=TEXT,
        metadata={"type": "object"},
        spec=spec,
        status=FREE,
    )
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": whole},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.argoproj.io"},
        "spec": {
            "group": "argoproj.io",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [version],
        },
    }
