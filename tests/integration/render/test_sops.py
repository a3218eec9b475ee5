"""Files that sops encrypted, wherever a source has them; and those that were changed since."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleet.errors import InputsMissing, RenderError
from fleet.model.applications import HelmSource, KustomizeSource
from fleet.model.decryption import DecryptionKey
from fleet.model.renders import RenderResult
from tests.integration.render.conftest import CONFIG_MAP, Kitchen, request_for
from tests.servers.sops import AgeKey, PgpKey, encrypt

PASSWORD = "correct horse battery staple"
SECRET = f"""\
# who reads this, knows
apiVersion: v1
kind: Secret
metadata:
  name: db
  annotations: {{checked: "yes", on: 2024-01-31}}
stringData:
  password: {PASSWORD}
  port: "5432"
  empty: ""
  lines: |
    one
    two
data: {{}}
immutable: true
"""
ONLY_DATA = ("--encrypted-regex", "^(data|stringData)$")
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
TEMPLATE = """\
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: {{ .Values.password | quote }}, port: {{ .Values.port | quote }}}
"""


async def rendered(
    kitchen: Kitchen, files: dict[str, str], *keys: DecryptionKey, **changes: Any
) -> RenderResult:
    request = request_for(kitchen.write(files), "app", **changes)
    return await kitchen.renderer.render(replace(request, keys=keys))


@pytest.mark.parametrize(
    "flags",
    [(), ONLY_DATA, (*ONLY_DATA, "--mac-only-encrypted"), ("--unencrypted-suffix", "Version")],
    ids=["whole", "data", "mac-of-data", "suffix"],
)
async def test_yaml_in_a_directory(
    kitchen: Kitchen, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    key = AgeKey()
    text = encrypt(tmp_path, "db.yaml", SECRET, key, flags=flags)
    assert PASSWORD not in text
    result = await rendered(kitchen, {"app/db.yaml": text, "app/cm.yaml": CONFIG_MAP}, key.kept)
    (secret,) = [it for it in result.manifests if it["kind"] == "Secret"]
    assert secret["stringData"] == {
        "password": PASSWORD,
        "port": "5432",
        "empty": "",
        "lines": "one\ntwo\n",
    }
    assert (secret["immutable"], secret["metadata"]["annotations"]["checked"]) == (True, "yes")
    assert "sops" not in secret
    assert (result.reads.keys, result.reads.project) == ((key.id,), True)


async def test_several_documents_and_lists(kitchen: Kitchen, tmp_path: Path) -> None:
    key = AgeKey()
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n"
        "  - {name: a, image: x, env: [{name: A, value: '1'}]}\n  priority: 7\n"
        "  activeDeadlineSeconds: 010\n"
    )
    text = encrypt(tmp_path, "all.yaml", f"{SECRET}---\n{pod}", key, flags=ONLY_DATA)
    result = await rendered(kitchen, {"app/all.yaml": text}, key.kept)
    secret, found = result.manifests
    assert secret["stringData"]["password"] == PASSWORD
    assert found["spec"]["priority"] == 7
    assert found["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]


async def test_json(kitchen: Kitchen, tmp_path: Path) -> None:
    key = AgeKey()
    value = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "db"},
                "stringData": {"password": PASSWORD},
                "immutable": False,
                "extra": {"count": 3, "ratio": 0.25, "nothing": None},
            }
        ],
    }
    for flags in ((), ONLY_DATA):
        text = encrypt(tmp_path, "db.json", json.dumps(value), key, flags=flags)
        result = await rendered(kitchen, {"app/db.json": text}, key.kept)
        assert list(result.manifests) == value["items"]


async def test_for_openpgp(kitchen: Kitchen, tmp_path: Path) -> None:
    key, other = PgpKey(tmp_path / "gnupg"), AgeKey()
    text = encrypt(tmp_path, "db.yaml", SECRET, key, other)
    result = await rendered(kitchen, {"app/db.yaml": text}, AgeKey().kept, key.kept)
    assert result.manifests[0]["stringData"]["password"] == PASSWORD
    assert result.reads.keys == (key.id,)


async def test_whatever_a_kustomization_names(kitchen: Kitchen, tmp_path: Path) -> None:
    key = AgeKey()

    def closed(name: str, text: str | bytes) -> str:
        return encrypt(tmp_path, name, text, key)

    files = {
        "app/kustomization.yaml": (
            "resources: [../base, db.yaml]\n"
            "generatorOptions: {disableNameSuffixHash: true}\n"
            "secretGenerator:\n"
            "- {name: env, envs: [app.env]}\n"
            "- {name: file, files: [tls.key, config.json]}\n"
        ),
        "app/db.yaml": closed("db.yaml", SECRET),
        "app/app.env": closed("app.env", f"# mine\nPASSWORD={PASSWORD}\nPORT=5432\n"),
        "app/tls.key": closed("tls.key", b"-----BEGIN\nkey\n"),
        "app/config.json": closed("config.json", '{"a": {"b": 1}}'),
        "app/unused.yaml": closed("unused.yaml", SECRET).replace("ENC[AES256_GCM,data:", "ENC[x"),
        "base/kustomization.yaml": "resources: [more.yaml]\n",
        "base/more.yaml": closed("more.yaml", SECRET.replace("name: db", "name: more")),
    }
    for options in (None, KustomizeSource(name_prefix="own-")):
        changes = {} if options is None else {"kustomize": options}
        result = await rendered(kitchen, files, key.kept, **changes)
        prefix = options.name_prefix if options else ""
        found = {it["metadata"]["name"].removeprefix(prefix): it for it in result.manifests}
        assert found["db"]["stringData"]["password"] == PASSWORD
        assert found["more"]["stringData"]["password"] == PASSWORD
        assert _text(found["env"], "PASSWORD") == PASSWORD
        assert _text(found["env"], "PORT") == "5432"
        assert _text(found["file"], "tls.key") == "-----BEGIN\nkey\n"
        assert json.loads(_text(found["file"], "config.json")) == {"a": {"b": 1}}
        files = {}


def _text(secret: dict[str, Any], key: str) -> str:
    return base64.b64decode(secret["data"][key]).decode()


async def test_value_files_of_a_chart(kitchen: Kitchen, tmp_path: Path) -> None:
    key = AgeKey()
    files = {
        "app/Chart.yaml": CHART,
        "app/templates/secret.yaml": TEMPLATE,
        "app/values.yaml": "port: 1\n",
        "secrets.yaml": encrypt(
            tmp_path, "secrets.yaml", f"password: {PASSWORD}\nport: 5432\n", key
        ),
    }
    helm = HelmSource(value_files=("/secrets.yaml",))
    result = await rendered(kitchen, files, key.kept, helm=helm)
    assert result.manifests[0]["stringData"] == {"password": PASSWORD, "port": "5432"}


async def test_what_goes_wrong_tells_nothing_of_it(kitchen: Kitchen, tmp_path: Path) -> None:
    key = AgeKey()
    files = {
        "app/Chart.yaml": CHART,
        "app/templates/secret.yaml": "{{ fail .Values.password }}",
        "app/values.yaml": encrypt(tmp_path, "values.yaml", f"password: {PASSWORD}\n", key),
    }
    helm = HelmSource(value_files=("values.yaml",))
    with pytest.raises(RenderError) as caught:
        await rendered(kitchen, files, key.kept, helm=helm)
    assert PASSWORD not in str(caught.value.as_dict())


async def test_a_render_asks_for_keys_before_it_is_given_any(
    kitchen: Kitchen, tmp_path: Path
) -> None:
    text = encrypt(tmp_path, "db.yaml", SECRET, AgeKey())
    with pytest.raises(InputsMissing) as caught:
        await kitchen.render({"app/db.yaml": text})
    assert caught.value.keys


async def test_who_could_open_it_is_said(kitchen: Kitchen, tmp_path: Path) -> None:
    age, pgp = AgeKey(), PgpKey(tmp_path / "gnupg")
    text = encrypt(tmp_path, "db.yaml", SECRET, age, pgp)
    with pytest.raises(RenderError) as caught:
        await rendered(kitchen, {"app/db.yaml": text}, AgeKey().kept)
    for said in ("app/db.yaml", f"age {age.id}", f"pgp {pgp.id}"):
        assert said in caught.value.message


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("name: db", "name: other", "mac does not fit"),
        ("immutable: true", "immutable: false", "mac does not fit"),
        ("data: {}", "data: {}\nadded: value", "mac does not fit"),
        ("    password: ENC", "    renamed: ENC", "does not open"),
        ("stringData:", "stringDato:", "does not open"),
        ("    mac: ENC", "    mac: END", "has no mac"),
    ],
)
async def test_what_was_changed_is_refused(
    kitchen: Kitchen, tmp_path: Path, before: str, after: str, said: str
) -> None:
    key = AgeKey()
    text = encrypt(tmp_path, "db.yaml", SECRET, key, flags=ONLY_DATA)
    assert before in text
    changed = text.replace(before, after, 1)
    with pytest.raises(RenderError, match=said) as caught:
        await rendered(kitchen, {"app/db.yaml": changed}, key.kept)
    assert "app/db.yaml" in caught.value.message
    assert PASSWORD not in str(caught.value.as_dict())


async def test_what_only_looks_like_it_is_left_alone(kitchen: Kitchen) -> None:
    text = CONFIG_MAP + "data:\n  note: |\n    sops:\n      mac: ENC[AES256_GCM,data:x]\n"
    result = await kitchen.render({"app/cm.yaml": text})
    assert "ENC[AES256_GCM" in result.manifests[0]["data"]["note"]
    assert result.reads.keys == ()
