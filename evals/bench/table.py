"""The figures as a Markdown table, and whether this graph keeps within its bounds (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from evals.bench.runner import Sample

MISSING = "–"


@dataclass
class Cell:
    """A client at a number of runs at once: its samples, or why there are none."""

    client: str
    runs: int
    samples: list[Sample] = field(default_factory=list)
    problem: str = ""

    @property
    def multiple(self) -> float:
        """The best wall time; other work on the machine only ever adds to it."""
        return min(sample.multiple for sample in self.samples)

    @property
    def cpu_ms(self) -> float:
        """The best processor time per run."""
        return min(sample.cpu_ms for sample in self.samples)

    @property
    def rss_mb(self) -> float:
        """The most memory: it does not depend on what else runs."""
        return max(sample.rss_mb for sample in self.samples)

    @property
    def incomplete(self) -> int:
        """The most runs that came to no whole answer."""
        return max(sample.incomplete for sample in self.samples)

    @property
    def medians(self) -> dict[str, float]:
        """The middle of the samples."""
        names = ("multiple", "cpu_ms", "rss_mb")
        return {name: median(getattr(sample, name) for sample in self.samples) for name in names}

    def __str__(self) -> str:
        """Write the cell as the table shows it."""
        if not self.samples:
            return self.problem or MISSING
        shown = f"{self.multiple:.2f} × · {self.cpu_ms:.0f} ms · {self.rss_mb:.0f} MB"
        if self.incomplete:
            shown += f" · **{self.incomplete} of {self.runs} incomplete**"
        return f"{shown} · {self.problem}" if self.problem else shown


def table(cells: Sequence[Cell], labels: dict[str, str]) -> str:
    """Write one row a client and one column a number of runs, in order of appearance."""
    counts = sorted({cell.runs for cell in cells})
    by_place = {(cell.client, cell.runs): cell for cell in cells}
    rows = [["client", *(f"{count} runs at once" if count > 1 else "1 run" for count in counts)]]
    rows.append(["---"] * len(rows[0]))
    for client in dict.fromkeys(cell.client for cell in cells):
        rows.append([labels[client], *(str(by_place.get((client, count), MISSING)) for count in counts)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@dataclass
class Bound:
    """Something that this graph promises, and what was measured."""

    name: str
    limit: float
    measured: float

    @property
    def met(self) -> bool:
        """Whether the promise was kept."""
        return self.measured <= self.limit

    def __str__(self) -> str:
        """Write the bound as the command prints it."""
        return f"{self.name} {self.measured:.2f} ≤ {self.limit:g}: {'met' if self.met else '**missed**'}"


FLAT = 1.25
"""What the cost of a run at 256 runs may be, as a multiple of its cost at 64, and still count as flat: a cost
that grows with the calls in flight would be up to four times as high."""


def bounds(cells: Sequence[Cell]) -> list[Bound]:
    """Judge those bounds of this graph that were measured."""
    mine = {cell.runs: cell for cell in cells if cell.client == "graph"}
    one, many, most = (_sound(mine.get(runs)) for runs in (1, 64, 256))
    found = [
        Bound(f"runs without an answer at {runs}", 0, cell.incomplete if cell.samples else runs)
        for runs, cell in mine.items()
        if not _sound(cell)
    ]
    if one:
        found.append(Bound("1 run, × shortest", 1.05, one.multiple))
    if many:
        found.append(Bound("64 runs, × shortest", 2.2, many.multiple))
        found.append(Bound("64 runs, ms of CPU per run", 55, many.cpu_ms))
        found.append(Bound("64 runs, MB", 250, many.rss_mb))
    if many and most:
        found.append(Bound("CPU per run, 256 runs to 64", FLAT, most.cpu_ms / many.cpu_ms))
    return found


def _sound(cell: Cell | None) -> Cell | None:
    return cell if cell and cell.samples and not cell.problem and not cell.incomplete else None
