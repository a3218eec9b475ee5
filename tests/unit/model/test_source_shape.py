"""A source that was read and written again is the same source."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleet.model.applications import (
    DirectorySource,
    HelmParameter,
    HelmSource,
    JsonnetVar,
    KustomizeReplica,
    KustomizeSource,
    PluginParameter,
    PluginSource,
    Source,
    ValuesReference,
)
from fleet.model.reading import Fields, Origin
from fleet.model.source_shape import tool_blocks
from fleet.model.source_spec import read_tool_blocks
from fleet.model.values_from import KINDS

WORD = st.text("abc-./", min_size=1, max_size=5)
WORDS = st.lists(WORD, max_size=3).map(tuple)
PAIRS = st.dictionaries(WORD, WORD, max_size=3).map(lambda found: tuple(found.items()))
PAIR_LIST = st.lists(st.tuples(WORD, WORD), max_size=2).map(tuple)


def some(kind: Any, **fields: Any) -> Any:
    return st.builds(kind, **fields)


def many(strategy: Any) -> Any:
    return st.lists(strategy, max_size=2).map(tuple)


HELM = some(
    HelmSource,
    value_files=WORDS,
    ignore_missing_value_files=st.booleans(),
    values=st.text("a:\n", max_size=4),
    values_object=st.none() | st.dictionaries(WORD, st.none() | WORD | st.integers(), max_size=2),
    parameters=many(some(HelmParameter, name=WORD, value=WORD, force_string=st.booleans())),
    file_parameters=PAIR_LIST,
    release_name=st.just("") | WORD,
    pass_credentials=st.booleans(),
    skip_crds=st.booleans(),
    namespace=st.just("") | WORD,
    kube_version=st.just("") | WORD,
    api_versions=WORDS,
    values_from=many(
        st.builds(
            ValuesReference,
            kind=st.sampled_from(KINDS),
            name=st.sampled_from(["a", "a.b-c"]),
            values_key=st.sampled_from(["values.yaml", "key"]),
            target_path=st.sampled_from(["", "a.b[0]"]),
            optional=st.booleans(),
        )
    ),
)
KUSTOMIZE = some(
    KustomizeSource,
    name_prefix=WORD,
    images=WORDS,
    replicas=many(some(KustomizeReplica, name=WORD, count=st.integers(0, 9))),
    common_labels=PAIRS,
    common_annotations=PAIRS,
    common_annotations_envsubst=st.booleans(),
    components=WORDS,
    patches=many(st.fixed_dictionaries({"patch": WORD, "target": st.just({"kind": "A"})})),
)
VARIABLES = many(some(JsonnetVar, name=WORD, value=WORD, code=st.booleans()))
DIRECTORY = some(
    DirectorySource, recurse=st.just(True), include=WORD, ext_vars=VARIABLES, tlas=VARIABLES,
    libs=WORDS,
)  # fmt: skip
PARAMETER = some(
    PluginParameter,
    name=WORD,
    string=st.none() | st.just("") | WORD,
    array=st.none() | WORDS,
    map=st.none() | PAIRS,
)
PLUGIN = some(PluginSource, name=st.just("") | WORD, env=PAIR_LIST, parameters=many(PARAMETER))
BLOCKS = st.one_of(
    *(
        blocks.map(lambda block, key=key: {key: block})
        for key, blocks in (
            ("helm", HELM),
            ("kustomize", KUSTOMIZE),
            ("directory", DIRECTORY),
            ("plugin", PLUGIN),
        )
    ),
    st.just({}),
)


@given(BLOCKS)
def test_written_and_read_again(blocks: dict[str, Any]) -> None:
    source = Source("https://git.example.com/a.git", path="app", **blocks)
    origin = Origin()
    found = read_tool_blocks(Fields(tool_blocks(source), "", origin))
    assert found == (source.helm, source.kustomize, source.directory, source.plugin)
    assert not [warning for warning in origin.warnings if "unknown field" in warning]
