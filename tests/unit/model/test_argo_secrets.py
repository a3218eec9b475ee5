"""Argo CD's Secrets: both encodings, every key, and nothing of a value in any message."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.errors import SpecInvalid
from fleet.model.parsing import (
    ArgoSettings,
    parse_cluster_secret,
    parse_document,
    parse_repo_creds_secret,
    parse_repository_secret,
)
from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.secret import Secret

TYPE = "argocd.argoproj.io/secret-type"


def secret(secret_type: str, *, encoded: bool = False, **texts: str) -> dict[str, Any]:
    entries = {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {TYPE: secret_type, "env": "prod"}},
        **({"data": entries} if encoded else {"stringData": dict(texts)}),
    }


@pytest.mark.parametrize("encoded", [True, False])
def test_reads_a_cluster(encoded: bool) -> None:
    config = json.dumps({"bearerToken": "t0ken", "tlsClientConfig": {"insecure": True}})
    document = secret(
        "cluster",
        encoded=encoded,
        name="eu-1",
        server="https://k8s.example:6443/",
        namespaces="a, b,",
        clusterResources="true",
        project="shop",
        shard="3",
        config=config,
    )
    document["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "team": "shop",
    }
    parsed = parse_cluster_secret(document)
    assert (parsed.name, parsed.server) == ("eu-1", "https://k8s.example:6443")
    assert parsed.namespaces == ("a", "b")
    assert parsed.cluster_resources
    assert parsed.labels == {"env": "prod"}
    assert parsed.annotations == {"team": "shop"}
    assert parsed.config.reveal() == config
    assert "t0ken" not in repr(parsed)
    assert parsed.warnings == ()


def test_a_cluster_without_a_name_is_called_by_its_server() -> None:
    parsed = parse_cluster_secret(secret("cluster", server="https://k8s.example"))
    assert (parsed.name, parsed.config.reveal()) == ("https://k8s.example", "{}")


def test_string_data_wins_over_data() -> None:
    document = secret("repository", encoded=True, url="https://old.example/x")
    document["stringData"] = {"url": "https://new.example/x"}
    assert parse_repository_secret(document).url == "https://new.example/x"


def test_reads_a_repository() -> None:
    parsed = parse_repository_secret(
        secret(
            "repository",
            url="https://git.example/shop.git",
            type="git",
            name="shop",
            project="shop",
            username="ci",
            password="hunter2",
            enableLfs="true",
            insecureIgnoreHostKey="t",
            depth="1",
            proxy="http://proxy:3128",
            extra="x",
        )
    )
    assert parsed.type is RepositoryType.GIT
    assert parsed.auth == RepositoryAuth(username="ci", password=Secret("hunter2"))
    assert parsed.options == RepositoryOptions(
        insecure=True, enable_lfs=True, depth=1, proxy="http://proxy:3128"
    )
    assert parsed.warnings == ("data.extra: unknown key, not used",)
    assert "hunter2" not in repr(parsed)


@pytest.mark.parametrize("suffix", ["Id", "ID"])
def test_both_spellings_of_the_azure_keys_are_read(suffix: str) -> None:
    texts = {
        f"azureServicePrincipalClient{suffix}": "c",
        f"azureServicePrincipalTenant{suffix}": "t",
        "azureServicePrincipalClientSecret": "s",
    }
    parsed = parse_repo_creds_secret(secret("repo-creds", url="https://dev.azure.com/o", **texts))
    assert parsed.auth == RepositoryAuth(
        azure_client_id="c", azure_tenant_id="t", azure_client_secret=Secret("s")
    )


@pytest.mark.parametrize(
    ("parse", "document", "field"),
    [
        (parse_cluster_secret, secret("cluster"), "data.server"),
        (parse_cluster_secret, secret("cluster", server="hunter2"), "data.server"),
        (parse_cluster_secret, secret("cluster", server="https://u:hunter2@h"), "data.server"),
        (
            parse_cluster_secret,
            secret("cluster", server="https://h", config="hunter2"),
            "data.config",
        ),
        (parse_cluster_secret, secret("cluster", server="https://h", config="[1]"), "data.config"),
        (
            parse_cluster_secret,
            secret("cluster", server="https://h", config='{"a":' * 60_000),
            "data.config",
        ),
        (
            parse_cluster_secret,
            secret(
                "cluster",
                server="https://h",
                config='{"tlsClientConfig": {"insecure": true, "caData": "hunter2"}}',
            ),
            "data.config",
        ),
        (
            parse_cluster_secret,
            secret("cluster", server="https://h", clusterResources="hunter2"),
            "data.clusterResources",
        ),
        (parse_repository_secret, secret("repository"), "data.url"),
        (parse_repository_secret, secret("repository", url="https://u:hunter2@h/x"), "data.url"),
        (parse_repository_secret, secret("repository", url="u", type="hunter2"), "data.type"),
        (parse_repository_secret, secret("repository", url="u", depth="-1"), "data.depth"),
        (parse_repository_secret, secret("cluster", url="u"), "metadata.labels"),
        (parse_repo_creds_secret, secret("repository", url="u"), "metadata.labels"),
    ],
)
def test_a_mistake_is_named_and_no_value_is_repeated(parse, document, field: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        parse(document, file="s.yaml", line=9)
    assert caught.value.place.field == field
    assert "hunter2" not in json.dumps(caught.value.as_dict())
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "value", ["hunter2!", "aHVu!dGVy", "aHVudGVyMg", base64.b64encode(b"\xff").decode()]
)
def test_bad_base64_is_named_and_not_repeated(value: str) -> None:
    document = secret("repository")
    document["data"] = {"url": "aHR0cHM6Ly9oL3g=", "password": value}
    with pytest.raises(SpecInvalid, match="not base64") as caught:
        parse_repository_secret(document)
    assert caught.value.place.field == "data.password"
    assert value not in str(caught.value)
    assert caught.value.__context__ is None


def test_documents_are_told_apart_by_their_label() -> None:
    assert parse_document(secret("repo-creds", url="https://h")).url == "https://h"
    kept = parse_document(secret("repository-write", url="https://h"))
    assert isinstance(kept, ArgoSettings)  # of hydrators: kept, not read
    with pytest.raises(SpecInvalid, match="of type other"):
        parse_document(secret("other", url="https://h"))
    with pytest.raises(SpecInvalid, match="v1 Secret is not a document"):
        parse_document({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}})


@given(
    st.sampled_from(["cluster", "repository", "repo-creds"]),
    st.dictionaries(
        st.sampled_from(["url", "server", "config", "type", "depth", "insecure", "x"]),
        st.text(max_size=20) | st.integers() | st.none() | st.lists(st.none(), max_size=1),
    ),
    st.sampled_from(["data", "stringData"]),
)
def test_any_entries_are_read_or_refused(secret_type: str, entries: Any, where: str) -> None:
    document = secret(secret_type)
    document[where] = entries
    with suppress(SpecInvalid):
        parse_document(document)
