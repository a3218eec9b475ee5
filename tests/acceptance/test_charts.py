"""Teams with charts: in their monorepo, in Helm repositories and in registries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleet.source.oci import CONTENT_LAYERS
from tests.acceptance.shared import Shared
from tests.integration.operations.harness import as_file, config_map
from tests.integration.operations.test_artifacts import layer
from tests.servers import signing
from tests.servers.charts import SAMPLE, Chart
from tests.servers.git_http import GitHttpServer
from tests.servers.helm_repo import HelmRepo
from tests.servers.http import HttpServer, Response
from tests.servers.oci_registry import OciRegistry
from tests.servers.signing import GpgKey, provenance
from tests.servers.sops import PgpKey, encrypt

#: What a chart of the monorepo shows of what it was given.
SHOWN = "data: {tag: '{{ .Values.tag }}', size: '{{ .Values.size }}', by: '{{ .Values.by }}'}\n"
CHART = {
    "charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "charts/web/values.yaml": "tag: one\nsize: small\nby: nobody\n",
    "charts/web/templates/cm.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n" + SHOWN
    ),
}


def test_a_monorepo_with_a_chart_its_values_and_what_lies_beside(
    shared: Shared, git_http: GitHttpServer
) -> None:
    ok, charts, values = shared.ok, git_http.repository("charts"), git_http.repository("values")
    plain = as_file((config_map("plain"),))
    unread = "# +argocd:skip-file-rendering\n{{ no manifest }}\n"
    charts.commit(CHART | {"plain/sub/a.yaml": plain, "plain/notes.yaml": unread})
    values.commit({"envs/10-all.yaml": "size: medium\n", "envs/20-eu.yaml": "size: big\n"})

    # a chart with values of another repository, and a folder; kustomize changes what Helm printed
    chart: dict[str, Any] = {
        "repoURL": charts.url,
        "targetRevision": "main",
        "path": "charts/web",
        "name": "chart",
        "helm": {
            "valueFiles": ["$values/envs/*.yaml"],
            "parameters": [{"name": "by", "value": "$ARGOCD_APP_NAME"}],
        },
        "kustomize": {"commonAnnotations": {"team": "shop"}},
    }
    folder = {"repoURL": charts.url, "targetRevision": "main", "path": "plain", "name": "plain"}
    sources = [
        chart,
        {"repoURL": values.url, "targetRevision": "main", "ref": "values"},
        folder | {"directory": {"recurse": True}},
    ]
    document = shared.application("web", sources=sources)
    reads = {"argocd.argoproj.io/manifest-generate-paths": "/charts/web;/plain"}
    document["metadata"]["annotations"] = reads
    assert shared.apply(document).err == ""
    shared.settled("web")
    assert shared.data("web") == {"tag": "one", "size": "big", "by": "web"}
    assert shared.data("plain") == {"colour": "blue"}
    made = shared.live("configmaps/web")
    assert made is not None
    assert made["metadata"]["annotations"]["team"] == "shop"

    # values change alone, and the image updater writes its file
    values.commit({"envs/20-eu.yaml": "size: huge\n"})
    override = "helm:\n  parameters: [{name: tag, value: two}]\n"
    charts.commit({"charts/web/.argocd-source-web.yaml": override})
    shared.follows("web")
    assert shared.data("web") == {"tag": "two", "size": "huge", "by": "nobody"}

    # one source is changed by its name, another goes by its position
    ok("app", "set", "web", "--source-name", "chart", "--helm-set-string", "size=odd")
    ok("app", "remove-source", "web", "--source-position", "3", "-y")
    shared.follows("web")
    assert shared.data("web")["size"] == "huge"  # what the file says of parameters stands above
    assert shared.data("plain") is None


def test_charts_and_artifacts_of_ranges_of_versions(
    shared: Shared, git_http: GitHttpServer, helm_repo: HelmRepo, oci_registry: OciRegistry
) -> None:
    ok, host = shared.ok, oci_registry.host

    def greeting(value: str) -> dict[str, str]:
        return {**SAMPLE, "values.yaml": f"greeting: {value}\n"}

    # a Helm repository, a registry of charts, a registry of manifests, tags of a monorepo
    helm_repo.add("api", "1.0.0", greeting("old"))
    helm_repo.add("api", "1.2.0", greeting("new"))
    helm_repo.add("api", "2.0.0", greeting("too new"))
    ok("repo", "add", helm_repo.url, "--type", "helm")
    for version in ("1.0.0", "1.2.0", "2.0.0"):
        oci_registry.push_chart("job", version, greeting(version))
    registry = ("--type", "oci", "--insecure-oci-force-http")
    ok("repo", "add", f"oci://{host}/charts", *registry, "--skip-test")
    packed = layer("web/a.yaml", as_file((config_map("artifact", x="1"),)))
    digest = oci_registry.push("configs/shop", "1.4.0", {CONTENT_LAYERS[1]: packed})
    ok("repo", "add", f"oci://{host}/configs/shop", *registry)
    tagged = git_http.repository("tagged")
    for tag in ("web/v1.0.0", "web/v1.1.0", "api/v1.9.0"):
        tagged.commit({"web/a.yaml": as_file((config_map("tagged", tag=tag),))})
        tagged.tag(tag)

    shared.create("api", helm_repo.url, "--chart", "api", revision="1.x")
    shared.create("job", f"oci://{host}/charts", "--chart", "job", revision=">=1.0 <2")
    shared.create("artifact", f"oci://{host}/configs/shop", "--path", "web", revision="1.*")
    source = {"repoURL": tagged.url, "path": "web", "targetRevision": "^1", "tagPrefix": "web/"}
    shared.apply(shared.application("tagged", source=source))
    shared.settled("api", "job", "artifact", "tagged")
    assert shared.data("api") == {"greeting": "new"}
    assert shared.data("job") == {"greeting": "1.2.0"}
    assert shared.data("artifact") == {"x": "1"}
    assert shared.data("tagged") == {"tag": "web/v1.1.0"}
    status = ok("app", "get", "artifact", "-o", "json").json()["status"]
    assert status["sync"]["revision"] == digest

    # a value file of an address: only of a host that somebody registered
    with HttpServer(lambda _: Response(200, b"greeting: from afar")) as files:
        ok("app", "set", "api", "--values", f"{files.url}/values.yaml")
        assert "not a registered or allowed host" in shared.conditions("api")["ComparisonError"]
        assert files.requests == []
        assert shared.data("api") == {"greeting": "new"}
        ok("repo", "add", f"{files.url}/charts", "--type", "helm", "--skip-test")
        ok("app", "refresh", "api", "--hard")
        shared.settled("api")
        assert shared.data("api") == {"greeting": "from afar"}


def test_each_repository_has_its_own_policy_of_signatures(
    shared: Shared, git_http: GitHttpServer, helm_repo: HelmRepo
) -> None:
    ok, key = shared.ok, GpgKey()
    vetted, free = git_http.repository("vetted"), git_http.repository("free")
    vetted.commit({"web/a.yaml": as_file((config_map("vetted"),))})
    free.commit({"web/a.yaml": as_file((config_map("free"),))})
    chart = helm_repo.add("api", "1.0.0")
    ok("repo", "add", helm_repo.url, "--type", "helm")
    ok("gpg", "add", stdin=key.public)
    git = [
        {"repos": [free.url], "gpg": {"mode": "none"}},
        {"repos": ["*"], "gpg": {"mode": "head", "keys": [key.id]}},
    ]
    charts = [{"repos": ["*"], "gpg": {"mode": "strict", "keys": [key.id]}}]
    policies = {"git": {"policies": git}, "helm": {"policies": charts}}
    shared.apply(shared.project("vetted", sourceIntegrity=policies))
    mine = ("--project", "vetted")
    shared.create("vetted", vetted.url, *mine, "--path", "web")
    shared.create("free", free.url, *mine, "--path", "web")
    shared.create("api", helm_repo.url, *mine, "--chart", "api", revision="1.0.0")

    # what nobody vouches for waits, and says so
    shared.follows("free")
    assert "is not signed" in shared.conditions("vetted")["ComparisonError"]
    told = shared.conditions("api")["ComparisonError"]
    assert f"api 1.0.0 (sha256:{chart.digest}) has no provenance" in told
    assert [shared.data(name) for name in ("free", "vetted", "api")] == [
        {"colour": "blue"}, None, None,
    ]  # fmt: skip

    # the head is signed, whatever was before; the chart gets what `helm package --sign` writes
    signing.commit(vetted, {"web/b.yaml": as_file((config_map("more"),))}, key)
    helm_repo.provenance["api-1.0.0.tgz"] = provenance(chart, key)
    shared.follows("vetted", "api")
    assert shared.data("vetted") == shared.data("more") == {"colour": "blue"}
    assert shared.data("api") == {"greeting": "hello"}

    # a chart of the same version that somebody slipped in: what runs stays
    forged = helm_repo.add("api", "1.0.1", {**SAMPLE, "values.yaml": "greeting: evil\n"})
    helm_repo.provenance["api-1.0.1.tgz"] = provenance(renamed(chart, "1.0.1"), key)
    ok("app", "set", "api", "--revision", "1.0.1")
    assert forged.digest in shared.conditions("api")["ComparisonError"]
    assert shared.data("api") == {"greeting": "hello"}
    ok("gpg", "rm", key.id, "-y")


def renamed(chart: Chart, version: str) -> Chart:
    """The same archive as another version."""
    return Chart(chart.name, version, chart.data)


def test_values_that_are_encrypted_for_a_project(
    shared: Shared, git_http: GitHttpServer, tmp_path: Path
) -> None:
    ok, key, repository = shared.ok, PgpKey(tmp_path / "gnupg"), git_http.repository("charts")
    secret = encrypt(tmp_path, "secret.yaml", "size: hidden-size\n", key)
    repository.commit(CHART | {"charts/web/secret.yaml": secret})
    shared.apply(shared.project("vault"), shared.project("other"))
    for project in ("vault", "other"):
        where = ("--path", "charts/web", "--values", "secret.yaml", "--release-name", project)
        shared.create(project, repository.url, "--project", project, *where)
    ok("decryption-key", "add", "--project", "vault", stdin=key.private)
    shared.follows("vault")
    assert shared.data("web")["size"] == "hidden-size"
    assert key.id in shared.conditions("other")["ComparisonError"]

    # it is nowhere in the clear but where it was sent
    said = [ok("audit", "changes", "-o", "json"), ok("app", "get", "other", "-o", "json")]
    told = "".join(done.out + done.err for done in said)
    assert key.private not in told
    assert "hidden-size" not in told

    # without the key nothing is rendered, and what runs stays
    ok("decryption-key", "rm", key.id, "--project", "vault", "-y")
    ok("app", "refresh", "vault", "--hard")
    assert key.id in shared.conditions("vault")["ComparisonError"]
    assert shared.data("web")["size"] == "hidden-size"
