"""A directory that says yes and changes nothing: a proxy that answers every write itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_MODIFY_REQUEST, _MODIFY_RESPONSE = 0x66, 0x67


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """One LDAP message (a BER SEQUENCE), whole."""
    head = await reader.readexactly(2)
    size = head[1]
    if size & 0x80:
        more = await reader.readexactly(size & 0x7F)
        head, size = head + more, int.from_bytes(more, "big")
    return head + await reader.readexactly(size)


def _id_and_operation(message: bytes) -> tuple[bytes, int]:
    start = 2 + (message[1] & 0x7F if message[1] & 0x80 else 0)
    end = start + 2 + message[start + 1]
    return message[start:end], message[end]


@asynccontextmanager
async def lying_directory(host: str, port: int) -> AsyncIterator[int]:
    """The port of a proxy to a plain directory that acknowledges modifications and drops them."""
    tasks: set[asyncio.Task[None]] = set()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection(host, port)
        back = asyncio.create_task(copy(upstream_reader, writer))
        tasks.add(back)
        try:
            while True:
                message = await _read_message(reader)
                message_id, operation = _id_and_operation(message)
                if operation == _MODIFY_REQUEST:
                    result = b"\x0a\x01\x00\x04\x00\x04\x00"  # success, no name, no message
                    body = message_id + bytes((_MODIFY_RESPONSE, len(result))) + result
                    writer.write(bytes((0x30, len(body))) + body)
                else:
                    upstream.write(message)
                await upstream.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            upstream.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
