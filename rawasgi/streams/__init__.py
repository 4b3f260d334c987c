from rawasgi.streams.base import Stream, owned


def map(source, f):
    async def items():
        async with owned(source) as it:
            async for x in it:
                yield f(x)

    return Stream(items(), source)


def heartbeat(source, every, beat):
    return source
