"""The mark that says whose an object is: read exactly, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleet.model.objects import ObjectRef, Tracking

WEB = ObjectRef("apps", "Deployment", "shop", "web")
ID = "0192f0c1-7d52-7f5e-8a35-0a2d5b0c9f11"
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-", min_size=1, max_size=20)
#: As RBAC's kinds may be called: ``system:controller:shop``.
PATHS = st.from_regex(r"[a-z0-9:.-]{1,20}", fullmatch=True)


def test_is_read_as_it_was_written() -> None:
    mark = Tracking(ID, WEB)
    assert str(mark) == f"{ID}:apps/Deployment:shop/web"
    assert Tracking.parse(str(mark)) == mark


def test_a_copied_mark_does_not_match() -> None:
    """`kubectl get -o yaml`, another name, `kubectl apply`: the copy is nobody's."""
    copied = Tracking.parse(str(Tracking(ID, WEB)))
    assert copied != Tracking(ID, ObjectRef("apps", "Deployment", "shop", "web-copy"))
    assert copied != Tracking(ID, ObjectRef("apps", "Deployment", "other", "web"))
    assert copied != Tracking(ID, ObjectRef("", "Deployment", "shop", "web"))
    assert copied != Tracking("another", WEB)


def test_a_name_may_hold_slashes_but_no_other_object() -> None:
    mark = Tracking(ID, ObjectRef("rbac.authorization.k8s.io", "ClusterRole", "", "a/b"))
    assert Tracking.parse(str(mark)) == mark


@given(st.tuples(NAMES, NAMES, PATHS, NAMES, st.one_of(st.just(""), NAMES)))
def test_any_reference_comes_back(parts: tuple[str, str, str, str, str]) -> None:
    application, kind, name, group, namespace = parts
    mark = Tracking(application, ObjectRef(group, kind, namespace, name))
    assert Tracking.parse(str(mark)) == mark


@given(st.one_of(st.text(), st.text(":/abc", max_size=12)))
def test_any_text_is_a_mark_or_none(text: str) -> None:
    mark = Tracking.parse(text)
    assert mark is None or str(mark) == text
