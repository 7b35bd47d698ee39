"""omniORB's names for its minor codes, ours against what omniORBpy in a process of its own answers."""

from __future__ import annotations

import pytest

from iiop import exceptions
from iiop.exceptions import SystemException, explain_minor
from iiop.exceptions.minor.omniorb import OMNIORB
from tests import peers

VMCID = 0x41540000
OMG_VMCID = 0x4F4D0000
NUMBERS = range(200)
"""More than omniORB 4.3.3 uses, so that a code we lack is seen too."""

EXCEPTIONS = sorted(
    name
    for name in exceptions.__all__
    if SystemException in getattr(vars(exceptions)[name], "__bases__", ())
    and name not in {"INVALID_ACTIVITY", "ACTIVITY_COMPLETED", "ACTIVITY_REQUIRED", "THREAD_CANCELLED"}
)
"""The system exceptions omniORB has too."""


def ours(exception: str, minor: int) -> str | None:
    code = explain_minor(exception, minor)
    return code.name or None if code is not None else None


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_every_code_has_the_name_omniorb_gives_it(exception: str, omni_client: peers.OmniClient) -> None:
    said = {number: omni_client.minor_name(exception, VMCID | number) for number in NUMBERS}
    assert {number: ours(exception, VMCID | number) for number in NUMBERS} == said
    assert len(OMNIORB.get(exception, {})) == len([name for name in said.values() if name])


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_every_code_of_the_omg_that_omniorb_names_has_a_meaning(exception: str, omni_client: peers.OmniClient) -> None:
    for number in NUMBERS:
        if omni_client.minor_name(exception, OMG_VMCID | number):
            code = explain_minor(exception, OMG_VMCID | number)
            assert code is not None
            assert (code.vendor, bool(code.name), bool(code.meaning)) == ("OMG", True, True), number


def test_it_did_ask(omni_client: peers.OmniClient) -> None:
    """A check of the tests above: nothing would agree with nothing too."""
    assert sum(len(numbers) for numbers in OMNIORB.values()) == 144
    assert set(OMNIORB) <= set(EXCEPTIONS)
    assert omni_client.minor_name("TRANSIENT", VMCID | 2) == "TRANSIENT_ConnectFailed" == ours("TRANSIENT", VMCID | 2)
    assert omni_client.minor_name("BAD_PARAM", OMG_VMCID | 23) == "BAD_PARAM_WCharTCSNotKnown"
