"""Object groups: bound like objects, changed member by member, kept over restarts, and given out one member after the other."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from iiop.iop import IOR, NIL
from ior import IORBuilder
from naming import groups
from naming.changes import ROOT, BindingSet, Change, ObjectGroup
from naming.folder import folder_entries
from naming.groups import PLACES, Rotation, SelectionRule
from naming.model import Draft, NamingModel, Profile
from naming.names import parse_name as N  # noqa: N812
from naming.orphans import plan_delete
from naming.store import FILE_NAME, Store
from naming.trees import Unreadable
from naming.types import AlreadyBound, BindingType, InvalidName, NameComponent, NotFound, NotFoundReason

A, B, C = (IORBuilder("IDL:T:1.0").iiop(host, 1, key=b"k").build().to_iop() for host in "abc")
GROUP = ObjectGroup("Sales", (A, B), C)
PLACE = NameComponent("g")
VERSION_1 = Path(__file__).parents[1] / "vectors" / "naming-1.sqlite3"


@pytest.fixture(params=list(Profile))
def model(request: pytest.FixtureRequest) -> NamingModel:
    model = NamingModel(profile=request.param)
    model.apply(model.plan_bind(ROOT, N("g"), ObjectGroup("Sales")))
    model.apply(model.plan_bind(ROOT, N("o"), A))
    model.apply(model.plan_bind_new_context(ROOT, N("c"), 1))
    return model


def test_members_come_and_go(model: NamingModel) -> None:
    order = [binding.binding_name[0].id for binding in model.list(ROOT)]
    for member in (A, B):
        model.apply(groups.plan_add(model, ROOT, N("g"), member))
    model.apply(groups.plan_set_default(model, ROOT, N("g"), C))
    assert groups.find(model, ROOT, N("g")) == GROUP
    with pytest.raises(AlreadyBound):
        groups.plan_add(model, ROOT, N("g"), A)
    model.apply(groups.plan_remove(model, ROOT, N("g"), A))
    with pytest.raises(NotFound) as caught:
        groups.plan_remove(model, ROOT, N("g"), A)
    assert (caught.value.why, caught.value.rest_of_name) == (NotFoundReason.missing_node, N("g"))
    assert groups.find(model, ROOT, N("g")).members == (B,)
    assert [binding.binding_name[0].id for binding in model.list(ROOT)] == order


def test_changes_on_a_draft_see_each_other() -> None:
    model = NamingModel()
    draft = Draft(model)
    draft.apply(draft.plan_bind(ROOT, N("g"), ObjectGroup("")))
    draft.apply(groups.plan_add(draft, ROOT, N("g"), A))
    above = Draft(draft)
    above.apply(groups.plan_add(above, ROOT, N("g"), B))
    assert groups.find(above, ROOT, N("g")).members == (A, B)
    assert above.pending == (*draft.changes, *above.changes)


@pytest.mark.parametrize(
    "plan",
    [
        lambda model, name: groups.plan_add(model, ROOT, name, A),
        lambda model, name: groups.plan_remove(model, ROOT, name, A),
        lambda model, name: groups.plan_set_default(model, ROOT, name, A),
    ],
)
def test_what_is_no_group_has_no_members(model: NamingModel, plan: Callable[..., tuple[Change, ...]]) -> None:
    for text, why in (
        ("o", NotFoundReason.not_object),
        ("c", NotFoundReason.not_object),
        ("x", NotFoundReason.missing_node),
        ("g/x", NotFoundReason.not_context),
    ):
        with pytest.raises(NotFound) as caught:
            plan(model, N(text))
        assert caught.value.why is why
    with pytest.raises(InvalidName):
        plan(model, ())


def test_to_clients_it_is_an_object(model: NamingModel) -> None:
    types = {binding.binding_name[0].id: binding.binding_type for binding in model.list(ROOT)}
    assert types == {"g": BindingType.nobject, "o": BindingType.nobject, "c": BindingType.ncontext}
    with pytest.raises(AlreadyBound):
        model.plan_bind(ROOT, N("g"), A)
    model.apply(model.plan_rebind(ROOT, N("g"), B))
    assert model.resolve(ROOT, N("g")) == B


def test_deletion_tells_objects_from_contexts(model: NamingModel) -> None:
    for text, context in (("g", True), ("o", True), ("c", False)):
        with pytest.raises(NotFound) as caught:
            plan_delete(model, model, N(text), context=context)
        assert caught.value.why is (NotFoundReason.not_context if context else NotFoundReason.not_object)
    for text, context in (("g", False), ("o", False), ("c", True)):
        model.apply(plan_delete(model, model, N(text), context=context))
    assert model.contexts == (ROOT,)
    assert len(model.list(ROOT)) == 0


# --- who is next ------------------------------------------------------------------------------------------------------


def taken(rotation: Rotation, group: ObjectGroup, count: int, component: NameComponent = PLACE) -> list[IOR]:
    return [rotation.choose(ROOT, component, group) for _ in range(count)]


def test_each_in_turn() -> None:
    rotation = Rotation()
    assert taken(rotation, GROUP, 5) == [A, B, A, B, A]
    assert taken(rotation, ObjectGroup("", (A, B, C)), 3) == [B, C, A]
    assert taken(rotation, ObjectGroup("", (A,)), 2) == [A, A]
    assert rotation.chosen == 10


def test_groups_do_not_disturb_each_other() -> None:
    rotation = Rotation()
    other = NameComponent("other")
    both = [(rotation.choose(ROOT, PLACE, GROUP), rotation.choose(ROOT, other, GROUP)) for _ in range(3)]
    assert both == [(A, A), (B, B), (A, A)]


def test_the_first() -> None:
    assert taken(Rotation(SelectionRule.first), GROUP, 3) == [A, A, A]


@pytest.mark.parametrize("rule", list(SelectionRule))
def test_without_members_the_default_object(rule: SelectionRule) -> None:
    rotation = Rotation(rule)
    assert taken(rotation, ObjectGroup("", (), C), 2) == [C, C]
    with pytest.raises(NotFound) as caught:
        rotation.choose(ROOT, PLACE, ObjectGroup(""))
    assert (caught.value.why, caught.value.rest_of_name) == (NotFoundReason.missing_node, (PLACE,))


def test_what_it_remembers_is_bounded() -> None:
    rotation = Rotation()
    for number in range(PLACES):
        assert taken(rotation, GROUP, 1, NameComponent(str(number))) == [A]
    assert taken(rotation, GROUP, 1, NameComponent("0")) == [B]
    assert taken(rotation, GROUP, 1, NameComponent("one more")) == [A]
    assert taken(rotation, GROUP, 1, NameComponent("1")) == [A]


# --- on disk ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [GROUP, ObjectGroup("", (), NIL), ObjectGroup("x" * 255, (NIL, A), NIL)])
def test_groups_come_back(tmp_path: Path, group: ObjectGroup) -> None:
    with Store.open(tmp_path) as store:
        store.write((BindingSet(ROOT, PLACE, group),))
    with Store.open(tmp_path) as store:
        assert list(store.load()) == [BindingSet(ROOT, PLACE, group)]


def test_a_store_of_version_1_takes_groups(tmp_path: Path) -> None:
    shutil.copyfile(VERSION_1, tmp_path / FILE_NAME)
    with Store.open(tmp_path) as store:
        before = list(store.load())
        store.write((BindingSet(ROOT, PLACE, GROUP),))
    with Store.open(tmp_path) as store:
        after = list(store.load())
    assert [change for change in after if change not in before] == [BindingSet(ROOT, PLACE, GROUP)]
    assert [change for change in after if change in before] == before
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} == {
            "contexts",
            "bindings",
            "latest_destroyed",
        }
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_store_of_version_1_whose_last_changes_are_in_its_log(tmp_path: Path) -> None:
    shutil.copyfile(VERSION_1, tmp_path / FILE_NAME)
    killed = tmp_path / "killed"
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        with connection:
            connection.execute("DELETE FROM bindings WHERE id = 'up'")
        killed.mkdir()
        for path in tmp_path.glob(f"{FILE_NAME}*"):
            if not path.name.endswith("-shm"):
                shutil.copyfile(path, killed / path.name)
    assert (killed / f"{FILE_NAME}-wal").stat().st_size > 0
    with Store.open(killed) as store:
        assert NameComponent("up") not in NamingModel(store.load()).bindings(ROOT)
        store.write((BindingSet(ROOT, PLACE, GROUP),))
    with Store.open(killed) as store:
        assert NamingModel(store.load()).resolve(ROOT, N("g")) == GROUP


def test_a_store_of_version_1_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(VERSION_1, tmp_path / FILE_NAME)
    octets = (tmp_path / FILE_NAME).read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("os.access", lambda path, mode: False)  # root may write everywhere
        with Store.open(tmp_path) as store:
            read = list(store.load())
    assert (tmp_path / FILE_NAME).read_bytes() == octets
    with Store.open(tmp_path) as store:
        assert list(store.load()) == read


def test_a_damaged_group_is_found_while_loading(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.write((BindingSet(ROOT, PLACE, GROUP),))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        connection.execute("UPDATE bindings SET target = substr(target, 1, length(target) - 1)")
    with Store.open(tmp_path) as store, pytest.raises(Exception, match="damaged"):
        list(store.load())


def test_a_folder_read_as_a_tree_shows_what_a_client_gets(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        names = {"members": GROUP, "default": ObjectGroup("", (), C), "nothing": ObjectGroup("")}
        store.write(BindingSet(ROOT, NameComponent(name), group) for name, group in names.items())
    found = {entry.name[0].id: entry.bound for entry in folder_entries(tmp_path)}
    assert (found["members"], found["default"]) == (A, C)
    assert found["nothing"] == Unreadable("an object group that has nothing to give")
