"""What one does to a stream: functions from streams to a stream, which know no web.

Deadlines, in seconds: ``timeout`` (to the first item, and between items) and ``deadline`` (in total) raise
DeadlineExceeded; ``begun`` does so before there is a stream. Those of the reader and of closing are the sender's.
"""

from rawasgi.streams.base import DeadlineExceeded, Stream, close, owned
from rawasgi.streams.batching import batch
from rawasgi.streams.beginning import begun
from rawasgi.streams.buffering import buffer
from rawasgi.streams.concluding import conclude
from rawasgi.streams.deadlines import deadline
from rawasgi.streams.filtering import filter
from rawasgi.streams.heartbeats import heartbeat
from rawasgi.streams.mapping import map
from rawasgi.streams.merging import merge
from rawasgi.streams.threads import Threads, TooManyThreads, from_thread
from rawasgi.streams.timeouts import timeout

__all__ = [
    "DeadlineExceeded",
    "Stream",
    "Threads",
    "TooManyThreads",
    "batch",
    "begun",
    "buffer",
    "close",
    "conclude",
    "deadline",
    "filter",
    "from_thread",
    "heartbeat",
    "map",
    "merge",
    "owned",
    "timeout",
]
