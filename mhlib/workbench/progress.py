"""Telling what happens: a progress bar on a terminal, one JSON line a stage otherwise."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence


class Reporter:
    """Standard output for people or for machines."""

    def __init__(self, stream=None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=self._stream, flush=True)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns for people, tab-separated lines for machines."""
        if not self._terminal:
            for row in (header, *rows):
                self.say("\t".join(map(str, row)))
            return
        from rich.console import Console
        from rich.table import Table

        table = Table(*header)
        for row in rows:
            table.add_row(*map(str, row))
        Console(file=self._stream).print(table)

    @contextlib.contextmanager
    def bar(self, title: str) -> Iterator[Callable[[str, float], None]]:
        """A bar that is moved by (step, share done)."""
        if not self._terminal:
            yield lambda step, share: None
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, transient=True) as progress:
            task = progress.add_task(title, total=1.0)
            yield lambda step, share: progress.update(task, completed=share, description=f"{title}: {step}")

    @contextlib.contextmanager
    def runs(self, total: int) -> Iterator[Callable[[dict[str, object]], None]]:
        """A receiver of events, one bar for all runs on a terminal."""
        if not self._terminal:
            yield lambda event: self.say(json.dumps(event, ensure_ascii=False))
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns) as progress:
            task = progress.add_task("reports", total=total)

            def tell(event: dict[str, object]) -> None:
                ended = event["event"] in ("skipped", "published", "failed")
                progress.update(task, advance=int(ended), description=f"{event['run']}: {event['event']}")
                if ended:
                    progress.console.print(_line(event))

            yield tell


def _line(event: dict[str, object]) -> str:
    if event["event"] == "failed":
        return f"{event['run']}: failed (exit code {event['exit_code']})\n  {event['error']}"
    if event["event"] == "skipped":
        return f"{event['run']}: skipped, nothing changed"
    return f"{event['run']}: published {event['run_id']} in {event['seconds']:.0f} s"
