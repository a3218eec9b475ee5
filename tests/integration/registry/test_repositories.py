"""Repositories: who may read them with what, and what the remote last said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from fleet.errors import (
    AlreadyExists,
    FleetError,
    NotFound,
    Refused,
    RevisionNotFound,
    SourceUnreachable,
)
from fleet.model.clusters import ConnectionStatus
from fleet.model.ids import RepositoryId
from fleet.model.repositories import (
    KnownCertificate,
    RepositoryAuth,
    RepositoryOptions,
    RepositoryType,
)
from fleet.model.scope import EVERYTHING, Scope
from fleet.model.secret import Secret
from fleet.registry import certificates, credentials, repositories
from fleet.registry.database import Database, Tx
from fleet.registry.keyring import KeyRing
from fleet.registry.repositories import NewRepository, RepositoryFilter
from fleet.source.urls import parse_url
from tests.integration.registry import seeds
from tests.integration.registry.seeds import ANNA, NOW

URL = "https://git.example/shop.git"
CANONICAL = "https://git.example/shop"
LOGIN = RepositoryAuth(username="ci", password=Secret("pa55"))

AUTHS = {
    "anonymous": RepositoryAuth(),
    "basic": LOGIN,
    "bearer": RepositoryAuth(bearer_token=Secret("pa55")),
    "ssh": RepositoryAuth(ssh_private_key=Secret("pa55")),
    "tls": RepositoryAuth(tls_client_cert_pem="CERT", tls_client_key_pem=Secret("pa55")),
    "github-app": RepositoryAuth(
        github_app_id="1", github_app_installation_id="2", github_app_private_key=Secret("pa55")
    ),
    "gcp": RepositoryAuth(gcp_service_account_key=Secret("pa55")),
    "azure": RepositoryAuth(
        azure_client_id="c", azure_tenant_id="t", azure_client_secret=Secret("pa55")
    ),
}


async def add(
    tx: Tx,
    ring: KeyRing,
    url: str = URL,
    auth: RepositoryAuth | None = None,
    options: RepositoryOptions | None = None,
    project: str = "",
) -> RepositoryId:
    new = NewRepository(
        url,
        parse_url(url).canonical,
        RepositoryType.GIT,
        project=project,
        auth=auth or RepositoryAuth(),
        options=options or RepositoryOptions(),
    )
    return (await repositories.add_repository(tx, ANNA, ring, new)).id


async def add_template(tx: Tx, ring: KeyRing, url: str, auth: RepositoryAuth, **more: str) -> None:
    await credentials.add_credential(
        tx,
        ANNA,
        ring,
        url=url,
        canonical_url=parse_url(url).canonical,
        type=RepositoryType.GIT,
        auth=auth,
        options=RepositoryOptions(**more),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("kind", AUTHS)
async def test_credentials_come_back_as_they_were_and_no_column_holds_them(
    db: Database, ring: KeyRing, kind: str
) -> None:
    options = RepositoryOptions(
        enable_lfs=True, proxy="http://u:pa55@proxy:3128", depth=3, interval_seconds=60
    )
    async with db.transaction() as tx:
        id = await add(tx, ring, auth=AUTHS[kind], options=options)
        remote = await repositories.remote_of(tx, ring, id)
        shown = await repositories.get_repository(tx, EVERYTHING, CANONICAL)
        row = (await tx.execute(text("select repositories::text from repositories"))).scalar_one()
        changes = (await tx.execute(text("select after::text from audit_log"))).scalars().all()
    assert remote.auth == AUTHS[kind]
    assert remote.options == options
    assert remote.registered
    assert shown.auth == kind
    assert shown.options.proxy == "http://proxy:3128"
    for written in (row, *changes, repr(shown)):
        assert "pa55" not in written


async def test_a_repository_is_registered_once_however_it_is_spelled(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        await add(tx, ring)
        with pytest.raises(AlreadyExists, match=r"https://git\.example/shop\.git is registered"):
            await add(tx, ring, "https://GIT.example:443/shop")


async def test_a_registration_takes_over_what_an_application_named(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        implicit = await seeds.repository(tx)
        assert await seeds.repository(tx) == implicit
        assert not (await repositories.remote_of(tx, ring, implicit)).registered
        assert await add(tx, ring, auth=LOGIN) == implicit
        remote = await repositories.remote_of(tx, ring, implicit)
        assert (remote.registered, remote.auth) == (True, LOGIN)


async def test_a_changed_url_never_receives_the_old_credentials(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        id = await add(tx, ring, auth=LOGIN)
        moved = NewRepository(
            "https://evil.example/shop", "https://evil.example/shop", RepositoryType.GIT
        )
        after = await repositories.set_remote(tx, ANNA, ring, id, moved)
        assert after.auth == "anonymous"
        assert not (await repositories.remote_of(tx, ring, id)).auth


async def test_the_longest_template_lends_credentials_and_own_ones_beat_it(
    db: Database, ring: KeyRing
) -> None:
    async with db.transaction() as tx:
        near = RepositoryAuth(username="near", password=Secret("n"))
        await add_template(tx, ring, "https://git.example", RepositoryAuth(username="far"))
        await add_template(tx, ring, "https://git.example/team", near, proxy="http://p:1")
        await add_template(tx, ring, "https://git.example/team/ap", RepositoryAuth(username="no"))
        inside = await add(tx, ring, "https://git.example/team/app.git")
        own = await add(tx, ring, "https://git.example/team/own.git", LOGIN)
        beside = await add(tx, ring, "https://other.example/team/app.git")
        remote = await repositories.remote_of(tx, ring, inside)
        assert (remote.auth, remote.options.proxy) == (near, "http://p:1")
        assert (await repositories.remote_of(tx, ring, own)).auth == LOGIN
        assert not (await repositories.remote_of(tx, ring, beside)).auth


async def test_each_credential_has_a_mirror_of_its_own(db: Database, ring: KeyRing) -> None:
    keys = []
    async with db.transaction() as tx:
        id = await add(tx, ring)
        keys.append((await repositories.remote_of(tx, ring, id)).cache_key)
        await add_template(tx, ring, "https://git.example", LOGIN)
        keys.append((await repositories.remote_of(tx, ring, id)).cache_key)
        for secret in ("a", "b"):
            new = NewRepository(
                URL, CANONICAL, RepositoryType.GIT, auth=RepositoryAuth(password=Secret(secret))
            )
            await repositories.set_remote(tx, ANNA, ring, id, new)
            keys.append((await repositories.remote_of(tx, ring, id)).cache_key)
        assert (await repositories.remote_of(tx, ring, id)).cache_key == keys[-1]
    assert len(set(keys)) == 4


@pytest.mark.parametrize("name", ["shop", "shop2"])
async def test_templates_are_listed_for_administrators_and_removed(
    db: Database, ring: KeyRing, name: str
) -> None:
    async with db.transaction() as tx:
        await add_template(tx, ring, f"https://git.example/{name}", LOGIN)
        with pytest.raises(AlreadyExists):
            await add_template(tx, ring, f"https://git.example/{name}/", LOGIN)
        (found,) = await credentials.list_credentials(tx, EVERYTHING)
        assert (found.username, found.auth) == ("ci", "basic")
        assert await credentials.list_credentials(tx, Scope(frozenset({"shop"}))) == ()
        with pytest.raises(NotFound, match="does not exist"):
            await credentials.remove_credential(tx, ANNA, "https://git.example")
        await credentials.remove_credential(tx, ANNA, f"https://git.example/{name}")
        assert await credentials.list_credentials(tx, EVERYTHING) == ()


_URLS = st.builds(
    lambda head, path: head + "/".join(["", *path]),
    st.sampled_from(
        [
            "https://h",
            "https://h:8443",
            "http://h",
            "ssh://git@h",
            "ssh://h",
            "ssh://bob@h",
            "oci://h",
        ]
    ),
    st.lists(st.sampled_from(["a", "ab", "b", "a.git"]), max_size=3),
)


def _may_serve(prefix: str, url: str) -> bool:
    """Same scheme, host and port, and the path goes on at a slash; a user in an ssh prefix has
    to be the URL's too."""
    template, target = parse_url(prefix), parse_url(url)
    if template.origin != target.origin:
        return False
    if template.scheme == "ssh" and template.user and template.user != target.user:
        return False
    head, path = template.path.removesuffix(".git"), target.path.removesuffix(".git")
    return path == head or path.startswith(head + "/")


def _rank(prefix: str) -> tuple[int, bool, str]:
    template = parse_url(prefix)
    return (-len(template.path.removesuffix(".git")), not template.user, prefix)


@given(st.lists(_URLS, max_size=6), _URLS)
def test_the_longest_path_wins_and_then_the_one_that_names_a_user(
    prefixes: list[str], url: str
) -> None:
    canonical = [parse_url(prefix).canonical for prefix in prefixes]
    serving = (prefix for prefix in prefixes if _may_serve(prefix, url))
    expected = min(serving, key=_rank, default=None)
    found = credentials.longest_prefix(canonical, parse_url(url).canonical)
    assert found == (parse_url(expected).canonical if expected else None)


async def test_a_repository_that_is_read_stays(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        id = await add(tx, ring)
        await seeds.application(tx, "web", None)
        with pytest.raises(Refused, match=r"1 application\(s\) read .*: web"):
            await repositories.remove_repository(tx, ANNA, id)
        await tx.execute(text("delete from applications"))
        await repositories.remove_repository(tx, ANNA, id)
        with pytest.raises(NotFound):
            await repositories.get_repository(tx, EVERYTHING, CANONICAL)


async def test_settings_change_beside_the_credentials(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await add(tx, ring, auth=LOGIN, options=RepositoryOptions(depth=2))
        after = await repositories.update_repository(
            tx, ANNA, id, {"interval_seconds": 30, "project": "shop"}
        )
        assert (after.options.interval_seconds, after.options.depth) == (30, 2)
        assert after.project == "shop"
        after = await repositories.update_repository(tx, ANNA, id, {"interval_seconds": None})
        assert after.options.interval_seconds is None
        assert (await repositories.remote_of(tx, ring, id)).auth == LOGIN


async def test_lists_are_filtered_and_paged(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        for name in ("a", "b", "c"):
            await add(tx, ring, f"https://git.example/{name}", project="shop")
        await add(tx, ring, "https://git.example/d")
        wanted = RepositoryFilter(project="shop")
        page, cursor = await repositories.list_repositories(tx, EVERYTHING, wanted, limit=2)
        assert [entry.url[-1] for entry in page] == ["a", "b"]
        page, cursor = await repositories.list_repositories(
            tx, EVERYTHING, wanted, limit=2, after=cursor
        )
        assert ([entry.url[-1] for entry in page], cursor) == (["c"], "")


async def test_failing_since_is_the_first_failure(db: Database, ring: KeyRing) -> None:
    async with db.transaction() as tx:
        id = await add(tx, ring)
        await repositories.record_contact(tx, id, None, NOW)
        for minutes in (1, 2):
            at = NOW + timedelta(minutes=minutes)
            await repositories.record_contact(tx, id, SourceUnreachable("timed out"), at)
        failing = await repositories.get_repository(tx, EVERYTHING, CANONICAL)
        assert failing.failing_since == NOW + timedelta(minutes=1)
        assert failing.observed_at == NOW
        assert (failing.status, failing.message) == (ConnectionStatus.FAILED, "timed out")
        at = NOW + timedelta(minutes=3)
        await repositories.record_contact(tx, id, None, at)
        fine = await repositories.get_repository(tx, EVERYTHING, CANONICAL)
        assert (fine.failing_since, fine.message, fine.observed_at) == (None, "", at)


async def test_refs_are_written_only_when_they_move(db: Database, ring: KeyRing) -> None:
    written = text(
        "select sum(n_tup_ins + n_tup_upd)::int from pg_stat_xact_user_tables"
        " where relname = 'repository_refs'"
    )
    async with db.transaction() as tx:
        await seeds.project(tx, "shop")
        id = await add(tx, ring)
        await seeds.application(tx, "web", None)
        await seeds.application(tx, "api", None)
        await seeds.application(tx, "old", None, revision="v1")
        refs = await repositories.refs_followed(tx, id)
        assert [(ref.target_revision, ref.revision) for ref in refs] == [("main", ""), ("v1", "")]
        gone = RevisionNotFound("no branch, tag or commit v1")
        answers: dict[repositories.RefKey, str | FleetError] = {
            ("", "main"): "a" * 40,
            ("", "v1"): gone,
        }
        assert await repositories.record_refs(tx, id, answers, NOW) == (("", "main"),)
        before = (await tx.execute(written)).scalar_one()
        later = NOW + timedelta(minutes=2)
        assert await repositories.record_refs(tx, id, answers, later) == ()
        assert (await tx.execute(written)).scalar_one() == before
        # an error keeps the last good revision
        answers[("", "main")] = gone
        await repositories.record_refs(tx, id, answers, later)
        assert (await repositories.refs_followed(tx, id))[0].revision == "a" * 40
        since = text("select target_revision, failing_since from repository_refs order by 1")
        assert [tuple(row) for row in await tx.execute(since)] == [("main", later), ("v1", NOW)]
        # and what nobody follows is forgotten
        await tx.execute(text("delete from applications where name = 'old'"))
        answers = {("", "main"): "b" * 40}
        assert await repositories.record_refs(tx, id, answers, later) == (("", "main"),)
        assert [tuple(row) for row in await tx.execute(since)] == [("main", None)]


def _key(host: str, kind: str = "ssh", data: str = "") -> KnownCertificate:
    return KnownCertificate(host, kind, "ssh-ed25519", f"SHA256:{host}", data or f"{host} key")


async def test_certificates_reach_the_remote_of_their_host(db: Database, ring: KeyRing) -> None:
    trusted = [
        _key("git.example"),
        _key("[git.example]:2222"),
        _key("|1|salt|hash"),
        _key("other.example"),
        _key("git.example", "https", "PEM A\n"),
        _key("*.example", "https", "PEM B\n"),
    ]
    async with db.transaction() as tx:
        assert len(await certificates.add_certificates(tx, ANNA, trusted)) == 6
        assert await certificates.add_certificates(tx, ANNA, trusted[:1]) == ()
        ssh = await repositories.remote_of(
            tx, ring, await add(tx, ring, "ssh://git@git.example:2222/shop")
        )
        assert set(ssh.known_hosts.splitlines()) == {
            "[git.example]:2222 key",
            "git.example key",
            "|1|salt|hash key",
        }
        assert ssh.ca_pem == "PEM A\n"
        local = await repositories.remote_of(tx, ring, await add(tx, ring, "file:///srv/shop"))
        assert (local.ca_pem, local.known_hosts) == ("", "")
        (https,), _ = await certificates.list_certificates(
            tx, EVERYTHING, host="git.example", kind="https"
        )
        assert https == trusted[4]
        removed = await certificates.remove_certificates(tx, ANNA, "git.example", kind="ssh")
        assert removed == (trusted[0],)
        with pytest.raises(NotFound):
            await certificates.remove_certificates(tx, ANNA, "git.example", kind="ssh")
