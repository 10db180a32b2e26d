"""All hosts of a connection, asked side by side. One that does not answer is told, and never means "no"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from partwell.connector_kit.contract import ConnectorError
from partwell.connector_kit.failures import together
from partwell.connector_kit.pacing import side_by_side
from partwell.connector_kit.transport import Transport
from partwell.connectors.ssh.shell import Shell, SignIn

T = TypeVar("T")

HOSTS_AT_ONCE = 32
DEFAULT_PORT = 22


@dataclass(frozen=True)
class Host:
    """Where one host is. `name` is what people wrote."""

    name: str
    address: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Host:
        """From `name` or `name:port`."""
        address, _, port = text.partition(":")
        return cls(text, address, int(port) if port else DEFAULT_PORT)


@dataclass(frozen=True)
class Answers(Generic[T]):
    """What each host answered, and why the others did not."""

    by_host: Mapping[str, T]
    failures: tuple[tuple[str, ConnectorError], ...]

    @property
    def may_pass(self) -> bool:
        """Whether every failure may be gone the next time."""
        return all(not error.is_permanent for _, error in self.failures)

    @property
    def missed(self) -> str:
        """The hosts that did not answer, with the reason, in words; empty when all did."""
        return " ".join(f"{host}: {error.message.rstrip('.')}." for host, error in self.failures)

    def failure(self, done: str) -> ConnectorError:
        """The failures as one; `done` says what was done all the same."""
        return together(done, self.failures)


class Fleet:
    """The hosts, and how to sign in to them."""

    def __init__(self, hosts: Sequence[Host], transport: Transport, sign_in: Callable[[], SignIn]) -> None:
        self.hosts = tuple(hosts)
        self._transport = transport
        self._sign_in = sign_in

    async def each(self, work: Callable[[str, Shell], Awaitable[T]], only: Sequence[str] = ()) -> Answers[T]:
        """Sign in to every host, or to those named, run `work` there with its name, sign off."""
        # Loading asyncssh takes a third of a second, which processes that ask no host need not wait for.
        from partwell.connectors.ssh.connection import signed_in

        hosts = [host for host in self.hosts if not only or host.name in only]
        sign_in = self._sign_in()

        async def one(host: Host) -> T | ConnectorError:
            try:
                await self._transport.limiter.wait()
                pinned = await self._transport.pin(host.address, host.port)
                async with signed_in(pinned, host.name, sign_in, self._transport.may_write) as shell:
                    return await work(host.name, shell)
            except ConnectorError as error:
                return error

        results = await side_by_side(one, hosts, at_once=HOSTS_AT_ONCE)
        named = list(zip((host.name for host in hosts), results, strict=True))
        return Answers(
            {name: answer for name, answer in named if not isinstance(answer, ConnectorError)},
            tuple((name, answer) for name, answer in named if isinstance(answer, ConnectorError)),
        )
