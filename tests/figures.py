"""Figures for docs/reliability.md: with $FIGURES, a folder, tests that measure leave there what they found.

Each step writes a file of its own; tools/prove makes the table of them.
"""
import json
import os
import pathlib


def note(step, what, figure, bar=""):
    """A row of the table: what was measured, the figure as people read it, and what it had to be ("" for no demand)."""
    print(f"{step}: {what}: {figure}" + (f" ({bar})" if bar else ""))
    folder = os.environ.get("FIGURES")
    if folder:
        path = pathlib.Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        with (path / f"{step}.jsonl").open("a") as file:
            file.write(json.dumps({"what": what, "figure": str(figure), "bar": bar}) + "\n")
