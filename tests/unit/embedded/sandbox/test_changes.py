"""What may not change on a stored object."""

from __future__ import annotations

import pytest

from fleet.embedded.sandbox.objects import Object
from tests.unit.embedded.sandbox.making import (
    CORE,
    FORBIDDEN,
    INVALID,
    POD,
    RBAC,
    changed,
    claim,
    deployment,
    job,
    made,
    pod,
    service,
    template,
    workload,
    wrong,
)

OTHER = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
SET = workload("StatefulSet", serviceName="s")
CONFIG = made(CORE, "ConfigMap", data={"a": "b"}, immutable=True)
SECRET = made(CORE, "Secret", data={"a": "Yg=="})
BINDING = made(RBAC, "RoleBinding", roleRef={"kind": "Role", "name": "x"})
SERVICE = service({"port": 80}, clusterIP="10.0.0.5", clusterIPs=["10.0.0.5"])
CLASS = made("storage.k8s.io/v1", "StorageClass", provisioner="x")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        *(
            (workload(kind), changed(workload(kind), spec={"selector": OTHER}), expected)
            for kind, expected in (
                ("Deployment", {(INVALID, "spec.selector")}),
                ("DaemonSet", {(INVALID, "spec.selector")}),
                ("ReplicaSet", {(INVALID, "spec.selector")}),
                ("StatefulSet", {(INVALID, "spec.selector")}),
            )
        ),
        (deployment(), deployment(replicas=5), set()),
        (SET, changed(SET, spec={"serviceName": "t"}), {(INVALID, "spec.serviceName")}),
        (SET, changed(SET, spec={"replicas": 4, "minReadySeconds": 3}), set()),
        (job(), changed(job(), spec={"parallelism": 0}), set()),
        (
            job(),
            changed(job(), spec={"completions": 3}),
            {(INVALID, "spec.completions")},
        ),
        (
            job(),
            job(template=template({**POD, "restartPolicy": "OnFailure"})),
            {(INVALID, "spec.template")},
        ),
        (
            job(suspend=True),
            changed(job(suspend=True), spec={"template": job()["spec"]["template"] | {"x": 1}}),
            set(),
        ),
        (claim(), claim(resources={"requests": {"storage": "2Gi"}}), set()),
        (claim(), claim(volumeName="pv"), set()),
        (claim(), claim(accessModes=["ReadOnlyMany"]), {(FORBIDDEN, "spec")}),
        (pod(), pod(image="j"), set()),
        (pod(), pod(command=["x"]), {(FORBIDDEN, "spec")}),
        (
            pod(),
            made(
                CORE, "Pod", spec={"containers": [*POD["containers"], {"name": "d", "image": "i"}]}
            ),
            {(FORBIDDEN, "spec.containers")},
        ),
        (
            SERVICE,
            changed(SERVICE, spec={"clusterIP": "10.0.0.6"}),
            {(INVALID, "spec.clusterIPs[0]")},
        ),
        (
            SERVICE,
            service(type="ExternalName", externalName="a.b"),
            set(),
        ),
        (BINDING, changed(BINDING, roleRef={"name": "y"}), {(INVALID, "roleRef")}),
        (
            CONFIG,
            changed(CONFIG, data={"a": "c"}, immutable=False),
            {(FORBIDDEN, "data"), (FORBIDDEN, "immutable")},
        ),
        (SECRET, changed(SECRET, type="x"), {(INVALID, "type")}),
        (
            CLASS,
            changed(CLASS, provisioner="y", parameters={"a": "b"}),
            {(FORBIDDEN, "provisioner"), (FORBIDDEN, "parameters")},
        ),
    ],
)
def test_changes(before: Object, after: Object, expected: set[tuple[str, str]]) -> None:
    assert wrong(after, before) == expected
