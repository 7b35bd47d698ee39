"""`iortool ping`: ask objects whether they are there, at which address, and how long that takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from iiop import iop
from iiop.endpoints import Endpoint, endpoints
from iiop.exceptions import IIOPError, ReferenceFormatError
from iiop.failover import FailoverPolicy
from iiop.net.address import Hosts
from iiop.net.client import Client
from iiop.net.probe import Probe, probe
from iiop.net.tls import Security
from iiop_tools import cli
from iiop_tools.network import hosts_option, tls_ca_option
from iiop_tools.reasons import reason
from iiop_tools.references import Readings, references_argument
from iiop_tools.tables import json_option, show, show_json
from ior.reference import IOR
from ior.text import display_text
from ior.url import Corbaname, ObjectURL
from naming.places import find_reference

__all__ = ["ping"]

_FORWARDS = 5
"""How often an object may be somewhere else."""


class _Place(NamedTuple):
    """Hold one address to ask: of profile `profile`, counted from 1, of a reference reached by `forwards` forwards."""

    endpoint: Endpoint
    profile: int
    type_id: str
    forwards: int


@click.command()
@references_argument
@click.option("--all", "every", is_flag=True, help="Ask every address; without it, until one says that the object is there.")
@click.option("--timeout", default=3.0, show_default=True, type=cli.Amount(0.01, 3600), help="Seconds for each question.")
@hosts_option()
@tls_ca_option()
@json_option
@cli.debug_option
def ping(
    references: tuple[str, ...], every: bool, timeout: float, hosts: Hosts | None, security: Security, as_json: bool
) -> None:
    """Ask objects whether they are there.

    Each address of a reference is asked in order, over a new connection: LocateRequest, _non_existent, and _is_a for the type
    that the reference states. Where an object is said to be elsewhere, it is asked there. A corbaname is resolved first.

    Exit status: 0 all are alive, 1 one is not, 2 nothing could be read.
    """
    readings = Readings(as_json)
    known = hosts or {}
    with Client(hosts=known, ssl=security.context or False) as client:
        for given, url in readings.read(references):
            try:
                ior = _resolved(url, known, security, timeout)
                probes = list(_probes(client, ior, every, timeout))
            except IIOPError as error:
                readings.bad += 1
                readings.refuse(given, error if isinstance(error, ReferenceFormatError) else IIOPError(reason(error)))
                continue
            alive = any(answer.alive for _, answer in probes)
            readings.bad += not alive
            if as_json:
                answers = [_as_data(place, answer) for place, answer in probes]
                show_json([given.as_data() | {"alive": alive, "addresses": answers}])
                continue
            for place, answer in probes:
                _tell(given.place, place, answer)
                if place.endpoint.tls and security.context is None:
                    cli.complain(f"{given.place}: TLS is spoken there: tell by --tls-ca whose certificates count")
                elif security.context is not None and not place.endpoint.tls:
                    cli.complain(f"{given.place}: no TLS is offered there, and with --tls-ca nothing else is spoken")
            if not probes:
                kind = "with TLS" if security.context else "of IIOP"
                cli.complain(f"{given.place}: {'the nil reference' if ior.is_nil else f'no address {kind}'}")
    readings.finish()


def _resolved(url: ObjectURL, hosts: Hosts, security: Security, timeout: float) -> IOR:
    if isinstance(url, IOR):
        return url
    if not isinstance(url, Corbaname):
        return url.to_ior()
    policy = FailoverPolicy(deadline=math.inf, attempt_timeout=timeout, connect_timeout=timeout, rounds=1, refresh_interval=None)
    return find_reference(str(url), hosts=hosts, policy=policy, security=security)


def _places(client: Client, ior: iop.IOR, forwards: int) -> list[_Place]:
    found: list[_Place] = []
    for number, profile in enumerate(ior.profiles, 1):
        of_profile = client.security.usable(endpoints(iop.IOR("", (profile,))))
        found += [_Place(endpoint, number, ior.type_id, forwards) for endpoint in of_profile]
    return found


def _probes(client: Client, ior: IOR, every: bool, timeout: float) -> Iterator[tuple[_Place, Probe]]:
    waiting = _places(client, ior, 0)
    asked: set[Endpoint] = set()
    while waiting:
        place = waiting.pop(0)
        if place.endpoint in asked:
            continue
        asked.add(place.endpoint)
        answer = probe(client, place.endpoint, place.type_id, timeout)
        yield place, answer
        if answer.forward is not None and place.forwards < _FORWARDS:
            elsewhere = _places(client, answer.forward, place.forwards + 1)
            waiting[:0] = [each._replace(type_id=each.type_id or place.type_id) for each in elsewhere]
        if answer.alive and not every:
            return


def _as_data(place: _Place, answer: Probe) -> dict[str, Any]:
    endpoint = place.endpoint
    questions = [
        {"question": each.name, "answer": display_text(each.answer), "milliseconds": round(each.seconds * 1e3, 3)}
        for each in answer.questions
    ]
    where = {"host": endpoint.host, "port": endpoint.port, "tls": endpoint.tls, "version": str(endpoint.version)}
    return where | {"profile": place.profile, "forwards": place.forwards, "alive": answer.alive, "questions": questions}


def _tell(source: str, place: _Place, answer: Probe) -> None:
    where = display_text(str(place.endpoint))
    behind = f", forwarded {place.forwards} times" if place.forwards > 1 else ", forwarded" if place.forwards else ""
    told = "alive" if answer.alive else "elsewhere" if answer.forward is not None else "not alive"
    cli.say(f"{source}: {where} (profile {place.profile}{behind}): {told}")
    rows = [
        {"question": each.name, "answer": display_text(each.answer), "ms": f"{each.seconds * 1e3:.2f}"}
        for each in answer.questions
    ]
    show(rows, ("question", "answer", "ms"))
