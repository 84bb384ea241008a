"""What fails that nobody expected, where a run goes on without it: never in silence.

    ledger    an event "fault" with one sentence, and an event "traceback"
    screen    the sentence
    verdict   the sentence among its flags: in verdict.json, on the screen and in the report
    strict    the run stops there instead

Mistakes that a person can fix and memory that is used up are reported as well, but are no faults.
"""

import json
import sqlite3
import traceback
from collections.abc import Callable, Iterable, Mapping

import torch

from tuneoff.core.errors import ResourceError, StudyError, TuneoffError
from tuneoff.engine.capabilities import Capabilities
from tuneoff.study.store import Ledger

__all__ = ["ENDS", "Faults", "Stopped", "fault_sentences", "paths_taken", "raised", "said"]


class Stopped(StudyError):
    """A fault under strict."""


FAULT, PATHS, TRACEBACK = "fault", "paths", "traceback"
EXPECTED = (TuneoffError, MemoryError, torch.OutOfMemoryError)
ENDS = (ResourceError, sqlite3.Error, Stopped)
"what ends a run, whoever meets it"
QUERY = f"select detail from events where what = '{TRACEBACK}'"


class Faults:
    """tell: shows a line. strict: whether a fault stops the run."""

    def __init__(self, ledger: Ledger, tell: Callable[[str], None], *, strict: bool = False):
        self.ledger, self.tell, self.strict = ledger, tell, strict

    def met(self, what: str, error: Exception) -> None:
        """Something failed that the run goes on without. what: that it failed, and what is done instead.

        Raises Stopped under strict, unless the error is one that is expected.
        """
        sentence = f"{what} ({said(error)})"
        self._keep(error)
        if not isinstance(error, EXPECTED):
            self._flag(sentence)
        self.tell(sentence)

    def of_job(self, key: str, label: str, error: Exception) -> None:
        """A job failed: its standing says so, and needs no flag. Raises Stopped under strict, as `met` does."""
        self._keep(error, key)
        if not isinstance(error, EXPECTED):
            self._stop(f"{label} failed ({said(error)})")

    def of_paths(self, found: Capabilities) -> None:
        """Which fast paths the model takes and why not the others, and every one that is broken."""
        self.ledger.note("", PATHS, json.dumps(found.reasons))
        self.tell(found.line)
        for sentence, trace in found.faults:
            self.ledger.note("", TRACEBACK, trace)
            self._flag(sentence)
            self.tell(sentence)

    def _keep(self, error: Exception, job: str = "") -> None:
        self.ledger.note(job, TRACEBACK, "".join(traceback.format_exception(error)))

    def _flag(self, sentence: str) -> None:
        self.ledger.note("", FAULT, sentence)
        self._stop(sentence)

    def _stop(self, sentence: str) -> None:
        if self.strict:
            where = f'sqlite3 {self.ledger.path} "{QUERY}"'
            raise Stopped(sentence, fix=f"leave out --strict to go on without it; {where} shows the traceback")


def raised(what: str, error: Exception) -> None:
    """In the place of `Faults.met`, where nothing goes on without what failed."""
    raise error


def said(error: Exception) -> str:
    """An exception in one line: its kind and what it says; a TuneoffError's problem alone."""
    if isinstance(error, TuneoffError):
        return error.problem
    return traceback.format_exception_only(error)[0].strip().splitlines()[0]


def fault_sentences(events: Iterable[Mapping]) -> tuple[str, ...]:
    """Each fault of a run once."""
    return tuple(dict.fromkeys(event["detail"] for event in events if event["what"] == FAULT))


def paths_taken(events: Iterable[Mapping]) -> dict[str, str]:
    """Why each fast path was not taken, "" where it was, as reported last; empty where nothing was run."""
    found = [json.loads(event["detail"]) for event in events if event["what"] == PATHS]
    return found[-1] if found else {}
