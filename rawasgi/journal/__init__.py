"""Journals: what is said is kept, so that who comes back misses nothing."""

from rawasgi.journal.base import Ended, Entry, Gap, Journal
from rawasgi.journal.memory import MemoryJournal
from rawasgi.journal.runs import NoSuchRun, Runs

__all__ = ["Ended", "Entry", "Gap", "Journal", "MemoryJournal", "NoSuchRun", "Runs"]
