"""What is written as Argo CD's Secrets is read as what it was, whatever it was."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from fleet.cluster import argocd_config, connection_from_argocd
from fleet.model.argo_secret_writing import (
    REPOSITORY,
    TEMPLATE,
    cluster_secret,
    credential_secret,
)
from fleet.model.argo_secrets import (
    parse_cluster_secret,
    parse_repo_creds_secret,
    parse_repository_secret,
)
from fleet.model.clusters import Connection, ExecCredential
from fleet.model.repositories import RepositoryAuth, RepositoryOptions, RepositoryType
from fleet.model.secret import Secret

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
SECRETS = WORDS.filter(bool).map(Secret)
TYPES = st.sampled_from(RepositoryType)
#: What has no key in Argo CD's Secrets.
_OURS = {"enable_submodules", "interval_seconds"}


def _auths() -> st.SearchStrategy[RepositoryAuth]:
    kinds = {"str": WORDS, "bool": st.booleans()}
    values = {
        field.name: kinds.get(str(field.type), st.none() | SECRETS)
        for field in fields(RepositoryAuth)
    }
    return st.builds(RepositoryAuth, **values)


def _options() -> st.SearchStrategy[RepositoryOptions]:
    special = {"depth": st.integers(0, 99), "proxy": WORDS, "no_proxy": WORDS}
    values = {
        field.name: special.get(field.name, st.booleans())
        for field in fields(RepositoryOptions)
        if field.name not in _OURS
    }
    return st.builds(RepositoryOptions, **values)


@given(type=TYPES, auth=_auths(), options=_options(), name=NAMES, project=NAMES)
def test_repositories(
    type: RepositoryType, auth: RepositoryAuth, options: RepositoryOptions, name: str, project: str
) -> None:
    url = "https://git.example/shop"
    made = credential_secret(REPOSITORY, url, type, auth, options, name=name, project=project)
    found = parse_repository_secret(made)
    assert (found.url, found.type, found.name, found.project) == (url, type, name, project)
    assert (found.auth, found.options, found.warnings) == (auth, options, ())


@given(type=TYPES, auth=_auths(), options=_options())
def test_templates(type: RepositoryType, auth: RepositoryAuth, options: RepositoryOptions) -> None:
    found = parse_repo_creds_secret(
        credential_secret(TEMPLATE, "https://git.example", type, auth, options)
    )
    assert (found.type, found.auth, found.options) == (type, auth, options)
    assert found.warnings == ()


_PROOFS = st.one_of(
    st.builds(lambda token: {"token": token}, SECRETS),
    st.builds(lambda key: {"client_cert_pem": "PEM", "client_key_pem": key}, SECRETS),
    st.builds(lambda word: {"username": "ops", "password": word}, SECRETS),
    st.builds(
        lambda name, profile: {
            "exec": ExecCredential(
                "aws",
                ("eks", "get-token", "--cluster-name", name),
                (("AWS_PROFILE", profile),),
                install_hint="x",
            )
        },
        NAMES,
        NAMES,
    ),
)


@given(
    proof=_PROOFS,
    is_insecure=st.booleans(),
    ca=st.sampled_from(["", "PEM"]),
    namespaces=st.lists(NAMES, max_size=2),
    labels=st.dictionaries(NAMES, NAMES, max_size=2),
    cluster_resources=st.booleans(),
)
def test_clusters(
    proof: dict[str, object],
    is_insecure: bool,
    ca: str,
    namespaces: list[str],
    labels: dict[str, str],
    cluster_resources: bool,
) -> None:
    connection = Connection(
        "https://eu-1.example:6443",
        ca_pem="" if is_insecure else ca,
        insecure_skip_tls_verify=is_insecure,
        tls_server_name="eu-1",
        **proof,  # type: ignore[arg-type]
    )
    made = cluster_secret(
        "eu-1",
        connection.server,
        argocd_config(connection),
        labels=labels,
        annotations={"note": "one"},
        namespaces=namespaces,
        cluster_resources=cluster_resources,
        project="shop",
    )
    found = parse_cluster_secret(made)
    assert connection_from_argocd(found) == connection
    assert (found.name, found.project, found.labels) == ("eu-1", "shop", labels)
    assert (found.namespaces, found.cluster_resources) == (tuple(namespaces), cluster_resources)
    assert found.annotations == {"note": "one"}


def test_the_cluster_that_argo_cd_runs_in_has_no_credentials() -> None:
    here = Connection("https://kubernetes.default.svc", in_cluster=True)
    made = cluster_secret(
        "in-cluster",
        here.server,
        argocd_config(here),
        labels={},
        annotations={},
        namespaces=(),
        cluster_resources=False,
        project="",
    )
    assert connection_from_argocd(parse_cluster_secret(made)).in_cluster
