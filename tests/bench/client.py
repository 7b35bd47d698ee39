"""client.*: our blocking client against omniORBpy's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from naming import NameService, parse_name
from tests.bench.harness import SelfTimed, Sides, row
from tests.peers import OmniClient, name, omni_names


@row("client.resolve", target=1.0)
def resolve() -> Iterator[Sides]:
    """one blocking resolve by our client, and by omniORBpy's, on the same omniNames"""
    with (
        tempfile.TemporaryDirectory() as folder,
        omni_names(Path(folder)) as service,
        OmniClient() as client,
        NameService(service.corbaloc.replace("corbaloc::", "corbaloc::1.2@")) as names,
    ):
        theirs = client.naming(service.corbaloc.replace("corbaloc::", "corbaloc::1.2@"))
        target = client.string_to_object("corbaloc::127.0.0.1:2809/account")
        theirs.call("bind", name("account"), target)
        ours, bound = names.root, parse_name("account")
        assert ours.resolve(bound).profiles
        yield lambda: ours.resolve(bound), SelfTimed(lambda count: theirs.time_calls("resolve", name("account"), count=count))
