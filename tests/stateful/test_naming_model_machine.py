"""The naming model and its store against a reference of plain dictionaries, by random operations and restarts."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from iiop.exceptions.corba import NO_PERMISSION, OBJECT_NOT_EXIST, CompletionStatus, CorbaException
from iiop.iop import IOR, NIL, TaggedProfile
from naming.changes import ROOT, Change, ContextCreated, ContextId, ForeignContext
from naming.model import Draft, NamingModel
from naming.store import Store
from naming.types import (
    AlreadyBound,
    BindingType,
    CannotProceed,
    InvalidName,
    Name,
    NameComponent,
    NotEmpty,
    NotFound,
    NotFoundReason,
)

Value = tuple[str, object]
"""What the reference binds: ("object", reference), ("context", id) or ("foreign", reference)."""

components = st.sampled_from([NameComponent("a"), NameComponent("b"), NameComponent("a", "k"), NameComponent("", "")])
names = st.lists(components, max_size=4).map(tuple)
references = st.sampled_from([NIL, *(IOR(f"IDL:{letter}:1.0", (TaggedProfile(0, b"x"),)) for letter in "PQ")])
foreign = st.sampled_from([IOR("IDL:F:1.0", (TaggedProfile(0, bytes([n])),)) for n in range(2)])
seconds = st.integers(0, 3)
pick = st.integers(0, 1 << 16)


class Reference:
    """Say what CosNaming wants, as directly as possible: recursion over dictionaries of dictionaries."""

    def __init__(self) -> None:
        self.contexts: dict[str, dict[tuple[str, str], Value]] = {ROOT: {}}

    def enter(self, context: str) -> dict[tuple[str, str], Value]:
        if context not in self.contexts:
            raise OBJECT_NOT_EXIST(0, CompletionStatus.COMPLETED_NO)
        return self.contexts[context]

    def at_last(self, context: str, name: Name, do: Callable[[dict[tuple[str, str], Value], NameComponent], object]) -> object:
        """Walk a name, and do something in the context of its last component."""
        here = self.enter(context)
        if not name:
            raise InvalidName()
        first, rest = name[0], name[1:]
        if not rest:
            return do(here, first)
        if (first.id, first.kind) not in here:
            raise NotFound(NotFoundReason.missing_node, name)
        kind, value = here[first.id, first.kind]
        if kind == "object":
            raise NotFound(NotFoundReason.not_context, name)
        if kind == "foreign":
            assert isinstance(value, IOR)
            raise CannotProceed(value, rest)
        assert isinstance(value, str)
        return self.at_last(value, rest, do)

    def bind(self, context: str, name: Name, value: Value) -> None:
        def do(here: dict[tuple[str, str], Value], last: NameComponent) -> None:
            if (last.id, last.kind) in here:
                raise AlreadyBound()
            here[last.id, last.kind] = value

        self.at_last(context, name, do)

    def rebind(self, context: str, name: Name, value: Value) -> None:
        def do(here: dict[tuple[str, str], Value], last: NameComponent) -> None:
            if (last.id, last.kind) in here:
                was_object, is_object = here[last.id, last.kind][0] == "object", value[0] == "object"
                if is_object and not was_object:
                    raise NotFound(NotFoundReason.not_object, (last,))
                if was_object and not is_object:
                    raise NotFound(NotFoundReason.not_context, (last,))
            here[last.id, last.kind] = value

        self.at_last(context, name, do)

    def unbind(self, context: str, name: Name) -> None:
        def do(here: dict[tuple[str, str], Value], last: NameComponent) -> None:
            if here.pop((last.id, last.kind), None) is None:
                raise NotFound(NotFoundReason.missing_node, (last,))

        self.at_last(context, name, do)

    def resolve(self, context: str, name: Name) -> object:
        def do(here: dict[tuple[str, str], Value], last: NameComponent) -> Value:
            if (last.id, last.kind) not in here:
                raise NotFound(NotFoundReason.missing_node, (last,))
            return here[last.id, last.kind]

        return self.at_last(context, name, do)

    def bind_new_context(self, context: str, name: Name, new: str) -> None:
        self.bind(context, name, ("context", new))
        self.contexts[new] = {}

    def destroy(self, context: str) -> None:
        if self.enter(context):
            raise NotEmpty()
        if context == ROOT:
            raise NO_PERMISSION(0, CompletionStatus.COMPLETED_NO)
        del self.contexts[context]


class NamingMachine(RuleBasedStateMachine):
    """Do the same to both, and compare answers and content.

    Operations gather in a draft, of which a commit writes and applies all; a restart forgets what was not committed.
    """

    folders: ClassVar[Iterator[Path]]

    def __init__(self) -> None:
        super().__init__()
        self.folder = next(self.folders)
        self.store = Store.open(self.folder)
        self.model = NamingModel(self.store.load())
        self.draft = Draft(self.model)
        self.reference = Reference()
        self.ever: list[ContextId] = [ROOT]
        self.committed = copy.deepcopy(self.reference), tuple(self.ever)

    def teardown(self) -> None:
        self.store.close()

    def some_context(self, number: int) -> ContextId:
        return self.ever[number % len(self.ever)]

    def change(self, plan: Callable[[], tuple[Change, ...]], expected: Callable[[tuple[Change, ...]], object]) -> None:
        """Plan, and if the reference agrees on the outcome, apply to the draft."""
        changes: tuple[Change, ...] = ()
        raised = answer = None
        try:
            changes = plan()
        except CorbaException as error:
            raised = error
        try:
            expected(changes)
        except CorbaException as error:
            answer = error
        assert raised == answer
        self.draft.apply(changes)
        self.ever += [change.context for change in changes if isinstance(change, ContextCreated)]
        assert len(set(self.ever)) == len(self.ever)

    @rule(start=pick, name=names, reference=references, again=st.booleans())
    def bind(self, start: int, name: Name, reference: IOR, again: bool) -> None:
        context = self.some_context(start)
        plan = self.draft.plan_rebind if again else self.draft.plan_bind
        expected = self.reference.rebind if again else self.reference.bind
        self.change(lambda: plan(context, name, reference), lambda _: expected(context, name, ("object", reference)))

    @rule(start=pick, name=names, ours=pick, theirs=st.none() | foreign, again=st.booleans())
    def bind_context(self, start: int, name: Name, ours: int, theirs: IOR | None, again: bool) -> None:
        context, target = self.some_context(start), self.some_context(ours)
        plan = self.draft.plan_rebind_context if again else self.draft.plan_bind_context
        expected = self.reference.rebind if again else self.reference.bind
        value: Value = ("context", target) if theirs is None else ("foreign", theirs)
        bound = target if theirs is None else ForeignContext(theirs)
        self.change(lambda: plan(context, name, bound), lambda _: expected(context, name, value))

    @rule(start=pick, name=names, seconds=seconds)
    def bind_new_context(self, start: int, name: Name, seconds: int) -> None:
        context = self.some_context(start)
        self.change(
            lambda: self.draft.plan_bind_new_context(context, name, seconds),
            lambda changes: self.reference.bind_new_context(context, name, changes[0].context if changes else ""),
        )

    @rule(seconds=seconds)
    def new_context(self, seconds: int) -> None:
        self.change(
            lambda: self.draft.plan_new_context(ROOT, seconds),
            lambda changes: self.reference.contexts.update({changes[0].context: {}}),
        )

    @rule(start=pick, name=names)
    def unbind(self, start: int, name: Name) -> None:
        context = self.some_context(start)
        self.change(lambda: self.draft.plan_unbind(context, name), lambda _: self.reference.unbind(context, name))

    @rule(start=pick)
    def destroy(self, start: int) -> None:
        context = self.some_context(start)
        self.change(lambda: self.draft.plan_destroy(context), lambda _: self.reference.destroy(context))

    @rule(start=pick, name=names, committed=st.booleans())
    def resolve(self, start: int, name: Name, committed: bool) -> None:
        context = self.some_context(start)
        found: object
        expected: object
        try:
            found = as_value((self.model if committed else self.draft).resolve(context, name))
        except CorbaException as error:
            found = error
        try:
            expected = (self.committed[0] if committed else self.reference).resolve(context, name)
        except CorbaException as error:
            expected = error
        assert found == expected

    @rule()
    def commit(self) -> None:
        upper = Draft(self.draft)
        self.store.write(self.draft.changes)
        self.model.apply(self.draft.changes)
        self.committed = copy.deepcopy(self.reference), tuple(self.ever)
        upper.base = self.model
        self.draft = upper

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = Store.open(self.folder)
        self.model = NamingModel(self.store.load())
        self.draft = Draft(self.model)
        self.reference, self.ever = copy.deepcopy(self.committed[0]), list(self.committed[1])

    @invariant()
    def same_content(self) -> None:
        found = {
            context: [((c.id, c.kind), as_value(bound)) for c, bound in self.model.bindings(context).items()]
            for context in self.model.contexts
        }
        assert found == {context: list(bindings.items()) for context, bindings in self.committed[0].contexts.items()}
        assert list(self.model.contexts) == list(self.committed[0].contexts)

    @invariant()
    def same_listing(self) -> None:
        for context, bindings in self.committed[0].contexts.items():
            assert [(b.binding_name, b.binding_type is BindingType.nobject) for b in self.model.list(ContextId(context))] == [
                ((NameComponent(*key),), kind == "object") for key, (kind, _) in bindings.items()
            ]


def as_value(bound: object) -> Value:
    if isinstance(bound, str):
        return "context", bound
    return ("foreign", bound.reference) if isinstance(bound, ForeignContext) else ("object", bound)


@pytest.mark.timeout(300)
def test_the_model_agrees_with_plain_dictionaries_and_survives_restarts(tmp_path: Path) -> None:
    NamingMachine.folders = (tmp_path / str(number) for number in itertools.count())
    run_state_machine_as_test(NamingMachine, settings=settings(max_examples=60, stateful_step_count=40))
