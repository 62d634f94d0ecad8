"""What servers do that answer as no Redis does, with one connection until the client closes it."""

import asyncio

from support.stream_server import Serve

_PIECE = 65_536


def answering(answer: bytes) -> Serve:
    """The same answer to whatever comes, once for each piece that arrives."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(_PIECE):
            writer.write(answer)
            await writer.drain()

    return behave


def flooding(beginning: bytes, piece: bytes) -> Serve:
    """A beginning, then a piece again and again."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(_PIECE)
        writer.write(beginning)
        while True:
            writer.write(piece)
            await writer.drain()

    return behave


def dripping(beginning: bytes, seconds: float = 0.2) -> Serve:
    """A beginning, then a byte now and then."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(_PIECE)
        writer.write(beginning)
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(seconds)

    return behave


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes everything and answers nothing."""
    while await reader.read(_PIECE):
        pass


async def deaf(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Reads nothing."""
    await asyncio.Event().wait()
