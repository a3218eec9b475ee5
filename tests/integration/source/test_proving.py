"""Charts and artifacts that have to be signed: a real registry, a Helm repository, real keys."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from fleet.errors import FleetError, Forbidden, SourceError, SpecInvalid
from fleet.model.repositories import Remote, RepositoryOptions, RepositoryType
from fleet.render.yaml import load_one
from fleet.source import AddressRules, Charts, Demands, Signers, TreeStore, parse_signing_keys
from tests.conftest import require
from tests.integration.source.repos import remote_to
from tests.integration.source.test_oci import MANIFESTS, layer
from tests.servers import cosign
from tests.servers.charts import Chart, package
from tests.servers.cosign import CosignKey
from tests.servers.helm_repo import HelmRepo
from tests.servers.oci_registry import OciRegistry
from tests.servers.signing import GnuPg, GpgKey, provenance

PLAIN = RepositoryOptions(enable_oci=True, oci_force_http=True)
SHOP = "configs/shop"


class Key(Protocol):
    public: str
    id: str


def signers(*keys: Key, allowed: tuple[str, ...] | None = None) -> Signers:
    known = tuple(key for one in keys for key in parse_signing_keys(one.public))
    return Signers(known, allowed if allowed is not None else tuple(key.id for key in known))


@pytest.fixture
def charts(tmp_path: Path, rules: AddressRules) -> Charts:
    return Charts(TreeStore(tmp_path / "trees"), rules=rules, parse_yaml=load_one)


def registered(registry: OciRegistry, path: str) -> Remote:
    return remote_to(f"oci://{registry.host}/{path}", options=PLAIN, type=RepositoryType.OCI)


class Shop:
    """An artifact of manifests, and whether it may be used."""

    def __init__(self, registry: OciRegistry, charts: Charts) -> None:
        self.registry, self.charts = registry, charts

    def push(self, content: str) -> str:
        return self.registry.push(SHOP, "stable", {MANIFESTS: layer({"a.yaml": content})})

    async def fault(self, digest: str, who: Signers) -> str:
        """What it is refused with; empty when it is not."""
        try:
            tree = await self.charts.fetch(
                registered(self.registry, SHOP), "", digest, demands=Demands(cosign=who)
            )
        except Forbidden as refused:
            return refused.message
        assert tree.verified == digest
        return ""


@pytest.fixture
def shop(oci_registry: OciRegistry, charts: Charts) -> Shop:
    return Shop(oci_registry, charts)


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
@pytest.mark.parametrize("form", [cosign.sign, cosign.refer])
async def test_what_cosign_signed_is_used(shop: Shop, kind: str, form: Any) -> None:
    key, other = CosignKey(kind), CosignKey(kind)
    digest = shop.push("1")
    assert "is not signed by cosign" in await shop.fault(digest, signers(key))
    form(shop.registry, SHOP, digest, key)
    assert await shop.fault(digest, signers(key, other)) == ""

    stranger = await shop.fault(digest, signers(key, other, allowed=(other.id,)))
    assert f"is signed by the key {key.id}, which may not" in stranger
    assert f"{SHOP}@{digest}" in stranger
    unknown = await shop.fault(digest, signers(other))
    assert "does not know" in unknown
    assert other.id in unknown


@pytest.mark.parametrize("form", [cosign.sign, cosign.refer])
async def test_a_signature_of_another_digest_is_refused(shop: Shop, form: Any) -> None:
    key = CosignKey()
    good = shop.push("good")
    evil = shop.push("evil")
    form(shop.registry, SHOP, evil, key, about=good)
    assert f"signature of another artifact, {good}" in await shop.fault(evil, signers(key))


async def test_a_document_that_was_changed_is_refused(shop: Shop) -> None:
    key = CosignKey()
    good, evil = shop.push("good"), shop.push("evil")
    cosign.sign(shop.registry, SHOP, evil, key, about=good, document=cosign.payload(evil))
    assert "signature is not valid" in await shop.fault(evil, signers(key))


async def test_what_is_signed_for_another_purpose_is_no_signature(shop: Shop) -> None:
    key, digest = CosignKey(), shop.push("1")
    cosign.refer(shop.registry, SHOP, digest, key, predicate="https://spdx.dev/Document")
    assert "is not signed by cosign" in await shop.fault(digest, signers(key))


@pytest.mark.parametrize("junk", [b"", b"[]", b'{"critical": {"image": 1}}', b"\xff", b'{"a":'])
async def test_junk_in_the_place_of_a_signature_is_no_signature(shop: Shop, junk: bytes) -> None:
    key, digest = CosignKey(), shop.push("1")
    cosign.sign(shop.registry, SHOP, digest, key, document=junk or b" ")
    assert "is not signed by cosign" in await shop.fault(digest, signers(key))


async def test_a_key_that_signs_commits_signs_no_artifact(shop: Shop) -> None:
    """Whatever a policy names: the kinds are not mixed."""
    key, digest = GpgKey(), shop.push("1")
    cosign.sign(shop.registry, SHOP, digest, CosignKey())
    assert "does not know" in await shop.fault(digest, signers(key))


async def test_a_chart_in_a_registry_is_verified_by_the_digest_that_its_tag_means(
    oci_registry: OciRegistry, charts: Charts
) -> None:
    key = CosignKey()
    there, demands = registered(oci_registry, "charts"), Demands(cosign=signers(key))
    first = oci_registry.push_chart("web", "1.0.0")
    cosign.sign(oci_registry, "charts/web", first, key)
    assert (await charts.fetch(there, "web", "1.0.0", demands=demands)).verified == first

    moved = oci_registry.push_chart("web", "1.0.0", {"values.yaml": "greeting: evil\n"})
    with pytest.raises(Forbidden, match=moved):
        await charts.fetch(there, "web", "1.0.0", demands=demands)


# --- provenance


@pytest.fixture
def gnupg(tmp_path: Path) -> Iterator[GnuPg]:
    require(shutil.which("gpg"), "no gpg: install Debian's package gnupg")
    made = GnuPg(tmp_path)
    yield made
    made.close()


@pytest.fixture
def helm() -> Iterator[HelmRepo]:
    with HelmRepo() as helm:
        yield helm


class Repository:
    """A Helm repository, and whether a chart of it may be used."""

    def __init__(self, helm: HelmRepo, charts: Charts) -> None:
        self.helm, self.charts = helm, charts

    def add(self, version: str, signed: bytes | None = None, **where: str) -> Chart:
        chart = self.helm.add("web", version, **where)
        if signed is not None:
            self.helm.provenance[f"web-{version}.tgz"] = signed
        return chart

    async def fault(self, version: str, who: Signers) -> str:
        remote = remote_to(self.helm.url, type=RepositoryType.HELM)
        try:
            await self.charts.fetch(remote, "web", version, demands=Demands(provenance=who))
        except FleetError as refused:
            return refused.message
        return ""


@pytest.fixture
def repository(helm: HelmRepo, charts: Charts) -> Repository:
    return Repository(helm, charts)


async def test_the_provenance_that_gpg_signed_vouches_for_a_chart(
    repository: Repository, gnupg: GnuPg
) -> None:
    chart = repository.add("1.0.0", provenance(package("web", "1.0.0"), gnupg))
    assert await repository.fault("1.0.0", signers(gnupg)) == ""
    other = GpgKey()
    refused = await repository.fault("1.0.0", signers(gnupg, other, allowed=(other.id,)))
    assert f"is signed by the GPG key {gnupg.id}, which may not (wanted: {other.id})" in refused
    assert f"web 1.0.0 (sha256:{chart.digest})" in refused
    assert "does not know" in await repository.fault("1.0.0", signers(other))


async def test_a_chart_without_provenance_is_refused(repository: Repository) -> None:
    key = GpgKey()
    repository.add("1.0.0")
    assert "has no provenance" in await repository.fault("1.0.0", signers(key))
    assert repository.helm.requests[-1].path == "/web-1.0.0.tgz.prov"  # nothing was downloaded


async def test_a_provenance_is_for_one_archive_and_one_version(repository: Repository) -> None:
    key = GpgKey()
    old = provenance(package("web", "1.0.0"), key)
    repository.add("1.0.0", old)
    repository.add("2.0.0", old)
    assert "not the archive" in await repository.fault("2.0.0", signers(key))
    # the old archive, with its own provenance, under a new version
    replayed = package("web", "1.0.0")
    repository.helm.charts.append(replace(replayed, version="3.0.0"))
    repository.helm._listed_urls["web-3.0.0.tgz"] = "web-3.0.0.tgz"
    repository.helm.provenance["web-3.0.0.tgz"] = old
    assert "another chart, web 1.0.0" in await repository.fault("3.0.0", signers(key))


async def test_a_provenance_that_was_changed_is_refused(repository: Repository) -> None:
    key, chart = GpgKey(), package("web", "1.0.0")
    signed = provenance(chart, key)
    tampered = {
        "1.0.0": signed.replace(b"name: web", b"name: wab"),
        "1.0.1": b"files: {}\n",
        "1.0.2": key.clearsign(b"name: web\n"),
        "1.0.3": key.clearsign(b"name: [\n\n...\nfiles: {\n"),
        "1.0.4": b"",
    }
    for version, text in tampered.items():
        repository.add(version, text)
        assert "provenance" in (found := await repository.fault(version, signers(key))) or (
            "not valid" in found
        )


async def test_of_a_text_only_what_is_signed_is_read(repository: Repository) -> None:
    """What stands before and after a good signature says nothing."""
    key = GpgKey()
    good = provenance(package("web", "1.0.0"), key)
    chart = package("web", "2.0.0")
    forged = json.dumps({"files": {"web-2.0.0.tgz": f"sha256:{chart.digest}"}}).encode()
    repository.add("2.0.0", good + b"\n...\n" + forged)
    assert await repository.fault("2.0.0", signers(key)) != ""


async def test_provenance_is_a_layer_beside_a_chart_in_a_registry(
    oci_registry: OciRegistry, charts: Charts
) -> None:
    key = GpgKey()
    there, demands = registered(oci_registry, "charts"), Demands(provenance=signers(key))
    oci_registry.push_chart("web", "1.0.0", provenance=provenance(package("web", "1.0.0"), key))
    oci_registry.push_chart("web", "2.0.0", provenance=provenance(package("web", "1.0.0"), key))
    oci_registry.push_chart("web", "3.0.0")
    assert (await charts.fetch(there, "web", "1.0.0", demands=demands)).verified
    for version, fault in (("2.0.0", "not the archive"), ("3.0.0", "has no provenance")):
        with pytest.raises(Forbidden, match=fault):
            await charts.fetch(there, "web", version, demands=demands)
    # the chart by its digest, and as an artifact
    whole = registered(oci_registry, "charts/web")
    digest = await charts.resolve(whole, "", "1.0.0")
    assert (await charts.fetch(there, "web", digest, demands=demands)).verified == digest
    assert (await charts.fetch(whole, "", digest, demands=demands)).verified == digest
    # what is no chart has none
    plain = oci_registry.push("charts/web", "x", {MANIFESTS: layer({"Chart.yaml": "name: web"})})
    with pytest.raises(SourceError, match="no Helm chart"):
        await charts.fetch(whole, "", plain, demands=demands)


# --- keys


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519", "rsa"])
def test_a_key_of_cosign_is_known_by_its_fingerprint(kind: str) -> None:
    key = CosignKey(kind)
    found = parse_signing_keys(f"cosign.pub:\n{key.public}")
    assert [(it.id, it.kind) for it in found] == [(key.id, "pem")]


def test_a_key_too_weak_to_verify_with_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = ec.generate_private_key(ec.SECP224R1()).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(SpecInvalid, match="another kind of key"):
        parse_signing_keys(pem)
