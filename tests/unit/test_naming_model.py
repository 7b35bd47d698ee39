from __future__ import annotations

from collections.abc import Callable

import pytest

from iiop.exceptions.corba import BAD_PARAM, NO_PERMISSION, OBJECT_NOT_EXIST, UserException, user_exception_class
from iiop.iop import IOR, NIL, TaggedProfile
from iiop.limits import Limits
from naming.changes import (
    ROOT,
    BindingRemoved,
    BindingSet,
    Change,
    ContextCreated,
    ContextDestroyed,
    ContextId,
    ForeignContext,
    context_number,
)
from naming.iterators import END_OF_LIST, BindingIterators
from naming.model import Contexts, Draft, NamingModel, Profile
from naming.names import parse_name
from naming.types import (
    AlreadyBound,
    Binding,
    BindingType,
    CannotProceed,
    InvalidAddress,
    InvalidName,
    NameComponent,
    NotEmpty,
    NotFound,
    NotFoundReason,
)

A = IOR("IDL:A:1.0", (TaggedProfile(0, b"a"),))
B = IOR("IDL:B:1.0", (TaggedProfile(0, b"b"),))
FOREIGN = ForeignContext(IOR("IDL:omg.org/CosNaming/NamingContext:1.0", (TaggedProfile(0, b"elsewhere"),)))
N = parse_name


def new_context(model: Contexts, path: str, seconds: int = 100) -> ContextId:
    created, bound = model.plan_bind_new_context(ROOT, N(path), seconds)
    model.apply((created, bound))
    return created.context


@pytest.fixture
def model() -> NamingModel:
    """Hold object o, context c with c/o, foreign context f, nil object n."""
    model = NamingModel()
    model.apply(model.plan_bind(ROOT, N("o"), A))
    new_context(model, "c")
    model.apply(model.plan_bind(ROOT, N("c/o"), B))
    model.apply(model.plan_bind_context(ROOT, N("f"), FOREIGN))
    model.apply(model.plan_bind(ROOT, N("n"), NIL))
    return model


def ids(model: NamingModel, context: ContextId = ROOT) -> list[str]:
    return [binding.binding_name[0].id for binding in model.list(context)]


def test_resolve(model: NamingModel) -> None:
    assert model.resolve(ROOT, N("o")) == A
    assert model.resolve(ROOT, N("c/o")) == B
    assert model.resolve(ROOT, N("c")) == "context.100.0"
    assert model.resolve(ContextId("context.100.0"), N("o")) == B
    assert model.resolve(ROOT, N("f")) == FOREIGN
    assert model.resolve(ROOT, N("n")) == NIL


@pytest.mark.parametrize(
    ("text", "why", "rest"),
    [
        ("x", NotFoundReason.missing_node, "x"),
        ("o.kind", NotFoundReason.missing_node, "o.kind"),
        ("x/y/z", NotFoundReason.missing_node, "x/y/z"),
        ("c/x", NotFoundReason.missing_node, "x"),
        ("c/x/y", NotFoundReason.missing_node, "x/y"),
        ("o/x", NotFoundReason.not_context, "o/x"),
        ("c/o/x/y", NotFoundReason.not_context, "o/x/y"),
        ("n/x", NotFoundReason.not_context, "n/x"),
    ],
)
def test_not_found_names_the_component_at_fault(model: NamingModel, text: str, why: NotFoundReason, rest: str) -> None:
    name = N(text)
    calls: list[Callable[[], object]] = [lambda: model.resolve(ROOT, name), lambda: model.plan_unbind(ROOT, name)]
    if why is not NotFoundReason.missing_node or len(N(rest)) > 1:
        calls += [
            lambda: model.plan_bind(ROOT, name, A),
            lambda: model.plan_rebind(ROOT, name, A),
            lambda: model.plan_bind_context(ROOT, name, ROOT),
            lambda: model.plan_rebind_context(ROOT, name, ROOT),
            lambda: model.plan_bind_new_context(ROOT, name, 1),
        ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value == NotFound(why, N(rest))


@pytest.mark.parametrize("text", ["f/x", "f/x/y"])
def test_names_through_a_foreign_context_cannot_proceed(model: NamingModel, text: str) -> None:
    with pytest.raises(CannotProceed) as caught:
        model.resolve(ROOT, N(text))
    assert caught.value == CannotProceed(FOREIGN.reference, N(text)[1:])
    with pytest.raises(CannotProceed):
        model.plan_bind(ROOT, N(text), A)


def test_a_foreign_context_at_the_end_is_a_binding_like_others(model: NamingModel) -> None:
    model.apply(model.plan_unbind(ROOT, N("f")))
    with pytest.raises(NotFound):
        model.resolve(ROOT, N("f"))


def test_no_component_is_an_invalid_name(model: NamingModel) -> None:
    for call in (model.resolve, model.plan_unbind):
        with pytest.raises(InvalidName):
            call(ROOT, ())
    with pytest.raises(InvalidName):
        model.plan_bind_new_context(ROOT, (), 1)


def test_planning_changes_nothing(model: NamingModel) -> None:
    before = {context: model.bindings(context) for context in model.contexts}
    model.plan_bind(ROOT, N("new"), A)
    model.plan_rebind(ROOT, N("o"), B)
    model.plan_unbind(ROOT, N("o"))
    model.plan_bind_new_context(ROOT, N("new"), 200)
    model.plan_new_context(ROOT, 200)
    assert {context: model.bindings(context) for context in model.contexts} == before


def test_changes_say_what_happens(model: NamingModel) -> None:
    c = ContextId("context.100.0")
    o = NameComponent("o")
    assert model.plan_rebind(ROOT, N("c/o"), A) == (BindingSet(c, o, A),)
    assert model.plan_unbind(ROOT, N("c/o")) == (BindingRemoved(c, o),)
    new = ContextId("context.100.1")
    assert model.plan_bind_new_context(ROOT, N("c/d"), 100) == (
        ContextCreated(new),
        BindingSet(c, NameComponent("d"), new),
    )
    assert model.plan_destroy(new_context(model, "e", 101)) == (ContextDestroyed(ContextId("context.101.0")),)


@pytest.mark.parametrize("text", ["o", "c", "f", "c/o", "n"])
def test_bind_over_anything_is_already_bound(model: NamingModel, text: str) -> None:
    with pytest.raises(AlreadyBound):
        model.plan_bind(ROOT, N(text), A)
    with pytest.raises(AlreadyBound):
        model.plan_bind_context(ROOT, N(text), ROOT)
    with pytest.raises(AlreadyBound):
        model.plan_bind_new_context(ROOT, N(text), 1)


@pytest.mark.parametrize("text", ["c", "f"])
def test_rebind_over_a_context_is_refused(model: NamingModel, text: str) -> None:
    with pytest.raises(NotFound) as caught:
        model.plan_rebind(ROOT, N(text), A)
    assert caught.value == NotFound(NotFoundReason.not_object, N(text))


@pytest.mark.parametrize("text", ["o", "c/o"])
def test_rebind_context_over_an_object_is_refused(model: NamingModel, text: str) -> None:
    with pytest.raises(NotFound) as caught:
        model.plan_rebind_context(ROOT, N(text), ROOT)
    assert caught.value == NotFound(NotFoundReason.not_context, N(text)[-1:])


def test_omninames_replaces_whatever_is_there_and_puts_it_last(model: NamingModel) -> None:
    omni = NamingModel(profile=Profile.omninames)
    for text in "pqr":
        omni.apply(omni.plan_bind(ROOT, N(text), A))
    omni.apply(omni.plan_rebind_context(ROOT, N("p"), ROOT))
    assert ids(omni) == ["q", "r", "p"]
    omni.apply(omni.plan_rebind(ROOT, N("p"), A))
    assert omni.resolve(ROOT, N("p")) == A
    omni.apply(omni.plan_bind_context(ROOT, N("nil"), ForeignContext(NIL)))
    with pytest.raises(NotFound) as caught:
        omni.resolve(ROOT, N("nil/x"))
    assert caught.value == NotFound(NotFoundReason.not_context, N("nil/x"))


def test_a_nil_context_is_not_bound(model: NamingModel) -> None:
    with pytest.raises(BAD_PARAM):
        model.plan_bind_context(ROOT, N("x"), ForeignContext(NIL))
    with pytest.raises(BAD_PARAM):
        model.plan_rebind_context(ROOT, N("x"), ForeignContext(NIL))


def test_rebind_keeps_the_place_in_the_listing(model: NamingModel) -> None:
    model.apply(model.plan_rebind(ROOT, N("o"), B))
    assert ids(model) == ["o", "c", "f", "n"]
    assert model.resolve(ROOT, N("o")) == B


def test_an_unbound_context_lives_on(model: NamingModel) -> None:
    c = ContextId("context.100.0")
    model.apply(model.plan_unbind(ROOT, N("c")))
    assert model.resolve(c, N("o")) == B
    assert c in model.contexts


def test_a_context_bound_as_object_leads_nowhere(model: NamingModel) -> None:
    model.apply(model.plan_bind(ROOT, N("as-object"), FOREIGN.reference))
    with pytest.raises(NotFound) as caught:
        model.resolve(ROOT, N("as-object/x"))
    assert caught.value.why is NotFoundReason.not_context


def test_destroy(model: NamingModel) -> None:
    c = ContextId("context.100.0")
    with pytest.raises(NotEmpty):
        model.plan_destroy(c)
    model.apply(model.plan_unbind(c, N("o")))
    model.apply(model.plan_destroy(c))
    assert model.resolve(ROOT, N("c")) == c
    uses = (
        lambda: model.resolve(ROOT, N("c/x")),
        lambda: model.resolve(c, N("x")),
        lambda: model.resolve(c, ()),
        lambda: model.plan_bind(c, N("x"), A),
        lambda: model.plan_new_context(c, 1),
        lambda: model.list(c),
        lambda: model.bindings(c),
        lambda: model.plan_destroy(c),
    )
    for use in uses:
        with pytest.raises(OBJECT_NOT_EXIST):
            use()
    model.apply(model.plan_bind_context(ROOT, N("dangling"), c))
    model.apply(model.plan_unbind(ROOT, N("c")))


def test_the_root_stays(model: NamingModel) -> None:
    with pytest.raises(NotEmpty):
        model.plan_destroy(ROOT)
    with pytest.raises(NO_PERMISSION):
        NamingModel().plan_destroy(ROOT)


def test_loops_and_several_parents(model: NamingModel) -> None:
    model.apply(model.plan_bind_context(ROOT, N("c/up"), ROOT))
    assert model.resolve(ROOT, N("c/up/c/up/c/o")) == B
    assert model.resolve(ROOT, N("/".join(["c/up"] * 5000) + "/o")) == A


def test_context_ids_are_never_given_twice(model: NamingModel) -> None:
    def create(seconds: int) -> str:
        changes = model.plan_new_context(ROOT, seconds)
        model.apply(changes)
        return changes[0].context

    assert [create(100), create(100), create(101), create(99)] == [
        "context.100.1",
        "context.100.2",
        "context.101.0",
        "context.101.1",
    ]
    model.apply(model.plan_destroy(ContextId("context.101.1")))
    assert create(101) == "context.101.2"


def test_context_numbers() -> None:
    assert context_number(ContextId("context.1225331880.0")) == (1225331880, 0)
    assert context_number(ROOT) == context_number(ContextId("context.1.2.3")) == (-1, -1)


def test_a_model_is_rebuilt_from_its_changes() -> None:
    model = NamingModel()
    history: list[Change] = []

    def run(changes: tuple[Change, ...]) -> None:
        history.extend(changes)
        model.apply(changes)

    run(model.plan_bind_new_context(ROOT, N("a"), 5))
    run(model.plan_bind_new_context(ROOT, N("a/b"), 5))
    run(model.plan_bind(ROOT, N("a/b/o"), A))
    run(model.plan_rebind(ROOT, N("a/b/o"), B))
    run(model.plan_unbind(ROOT, N("a/b/o")))
    run(model.plan_destroy(ContextId("context.5.1")))
    again = NamingModel(history)
    assert again.contexts == model.contexts
    assert all(again.bindings(context) == model.bindings(context) for context in model.contexts)
    assert again.plan_new_context(ROOT, 5) == model.plan_new_context(ROOT, 5)


def test_a_listing_is_a_snapshot(model: NamingModel) -> None:
    listing = model.list(ROOT)
    model.apply(model.plan_unbind(ROOT, N("o")))
    expected = (
        Binding(N("o"), BindingType.nobject),
        Binding(N("c"), BindingType.ncontext),
        Binding(N("f"), BindingType.ncontext),
        Binding(N("n"), BindingType.nobject),
    )
    assert tuple(listing) == expected
    assert listing[1:3] == expected[1:3]
    assert listing[-1] == expected[-1]
    assert len(listing) == 4


def test_a_draft_plans_on_what_is_not_yet_applied(model: NamingModel) -> None:
    before = tuple(model.list(ROOT))
    draft = Draft(model)
    draft.apply(draft.plan_unbind(ROOT, N("o")))
    d = new_context(draft, "d", 100)
    draft.apply(draft.plan_bind(ROOT, N("d/x"), A))
    with pytest.raises(NotFound):
        draft.resolve(ROOT, N("o"))
    with pytest.raises(NotEmpty):
        draft.plan_destroy(d)
    assert tuple(model.list(ROOT)) == before

    upper = Draft(draft)
    assert new_context(upper, "e", 100) == "context.100.2"
    upper.apply(upper.plan_unbind(ROOT, N("d/x")))
    model.apply(draft.changes)
    upper.base = model
    upper.apply(upper.plan_destroy(d))
    with pytest.raises(OBJECT_NOT_EXIST):
        upper.resolve(ROOT, N("d/x"))
    model.apply(upper.changes)
    assert ids(model) == ["c", "f", "n", "d", "e"]
    assert not model.exists(d)


def test_a_draft_of_an_emptied_context_knows_its_size(model: NamingModel) -> None:
    c = ContextId("context.100.0")
    draft = Draft(model)
    draft.apply(draft.plan_unbind(c, N("o")))
    assert draft.size(c) == 0
    draft.apply(draft.plan_destroy(c))
    with pytest.raises(OBJECT_NOT_EXIST):
        draft.resolve(ROOT, N("c/o"))


def test_exceptions_are_those_of_the_idl() -> None:
    context = "IDL:omg.org/CosNaming/NamingContext/"
    expected: dict[str, type[UserException]] = {
        f"{context}NotFound:1.0": NotFound,
        f"{context}CannotProceed:1.0": CannotProceed,
        f"{context}InvalidName:1.0": InvalidName,
        f"{context}AlreadyBound:1.0": AlreadyBound,
        f"{context}NotEmpty:1.0": NotEmpty,
        "IDL:omg.org/CosNaming/NamingContextExt/InvalidAddress:1.0": InvalidAddress,
    }
    assert {id_: user_exception_class(id_) for id_ in expected} == expected


# iterators


def numbers(count: int) -> tuple[Binding, ...]:
    return tuple(Binding((NameComponent(str(i)),), BindingType.nobject) for i in range(count))


NOW = 0.0


def uses_of(iterators: BindingIterators) -> tuple[Callable[[int, float], object], ...]:
    return (
        iterators.destroy,
        iterators.next_one,
        lambda number, now: iterators.next_n(number, 1, now),
        lambda number, now: iterators.next_n(number, 0, now),
    )


def test_no_iterator_when_everything_fits() -> None:
    iterators = BindingIterators()
    assert iterators.list(numbers(2), 2, NOW) == (numbers(2), None)
    assert iterators.list((), 0, NOW) == ((), None)
    assert len(iterators) == 0


def test_an_iterator_gives_each_binding_once() -> None:
    iterators = BindingIterators()
    page, number = iterators.list(numbers(6), 1, NOW)
    assert page == numbers(1)
    assert number is not None
    assert iterators.next_one(number, NOW) == (True, numbers(6)[1])
    assert iterators.next_n(number, 3, NOW) == (True, numbers(6)[2:5])
    assert iterators.next_n(number, 2**32 - 1, NOW) == (True, numbers(6)[5:])
    assert iterators.next_n(number, 1, NOW) == (False, ())
    assert iterators.next_one(number, NOW) == (False, END_OF_LIST)
    iterators.destroy(number, NOW)
    for use in uses_of(iterators):
        with pytest.raises(OBJECT_NOT_EXIST):
            use(number, NOW)


def test_next_n_of_nothing() -> None:
    iterators = BindingIterators()
    _, number = iterators.list(numbers(1), 0, NOW)
    assert number is not None
    with pytest.raises(BAD_PARAM):
        iterators.next_n(number, 0, NOW)
    assert iterators.next_n(number, 1, NOW) == (True, numbers(1))
    omni = BindingIterators(profile=Profile.omninames)
    _, number = omni.list(numbers(1), 0, NOW)
    assert number is not None
    assert omni.next_n(number, 0, NOW) == (False, ())


def test_one_iterator_too_many_ends_the_one_used_longest_ago() -> None:
    iterators = BindingIterators(Limits(iterators=3), first=7)
    opened = [iterators.list(numbers(2), 0, NOW)[1] for _ in range(3)]
    assert opened == [7, 8, 9]
    iterators.next_one(7, NOW)
    assert iterators.list(numbers(2), 0, NOW)[1] == 10
    assert [iterators.exists(number, NOW) for number in (7, 8, 9, 10)] == [True, False, True, True]
    assert len(iterators) == 3


def test_an_iterator_that_nobody_uses_ends() -> None:
    iterators = BindingIterators(Limits(iterator_time=10.0))
    _, first = iterators.list(numbers(3), 0, 0.0)
    _, second = iterators.list(numbers(3), 0, 1.0)
    assert first is not None
    assert second is not None
    assert iterators.next_one(first, 9.5)[0]  # used again
    assert iterators.exists(second, 10.9)
    assert not iterators.exists(second, 11.0)
    assert iterators.exists(first, 19.4)  # looking is no use
    iterators.expire(19.5)
    assert len(iterators) == 0
    for use in uses_of(iterators):
        with pytest.raises(OBJECT_NOT_EXIST):
            use(first, 19.5)


@pytest.mark.parametrize("how", range(4))
def test_every_use_finds_an_idle_iterator_gone(how: int) -> None:
    iterators = BindingIterators(Limits(iterator_time=10.0))
    _, number = iterators.list(numbers(3), 0, 0.0)
    assert number is not None
    with pytest.raises(OBJECT_NOT_EXIST):
        uses_of(iterators)[how](number, 10.0)
    assert len(iterators) == 0


def test_a_new_iterator_takes_the_place_of_an_idle_one() -> None:
    iterators = BindingIterators(Limits(iterators=2, iterator_time=10.0))
    iterators.list(numbers(3), 0, 0.0)
    _, second = iterators.list(numbers(3), 0, 5.0)
    iterators.list(numbers(3), 0, 10.0)
    assert second is not None
    assert iterators.exists(second, 10.0)


def test_what_iterators_hold_together_is_bounded() -> None:
    """However they ended; one is always allowed."""
    iterators = BindingIterators(Limits(iterator_bindings=10, iterator_time=10.0))
    first, second, third = (iterators.list(numbers(5), 0, 0.0)[1] for _ in range(3))
    assert [iterators.exists(number, 0.0) for number in (first, second, third) if number is not None] == [False, True, True]
    assert third is not None
    iterators.destroy(third, 0.0)
    iterators.list(numbers(5), 0, 0.0)
    assert len(iterators) == 2
    iterators.expire(10.0)
    _, large = iterators.list(numbers(11), 0, 10.0)
    assert large is not None
    assert iterators.next_n(large, 20, 10.0) == (True, tuple(numbers(11)))
    iterators.list(numbers(5), 0, 10.0)
    iterators.list(numbers(5), 0, 10.0)
    assert len(iterators) == 2
