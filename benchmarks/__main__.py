"""`python -m benchmarks [TOPIC…] [--quick] [--write]`: each topic in one run beside what one would pick instead."""

import argparse
import importlib
import inspect
import pkgutil
import sys
import tempfile
from pathlib import Path

import benchmarks
from benchmarks import _report


def main() -> None:
    """Run the topics named, or all; one file in this folder is one topic."""
    topics = [module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")]
    parser = argparse.ArgumentParser(
        prog="benchmarks", description="Speed, as ratios, beside what one would pick instead."
    )
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"one of: {', '.join(topics)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the size: to see that it runs")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/benchmarks.md")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.topics) - set(topics))
    if unknown:
        parser.error(f"no such topic: {', '.join(unknown)}; there are {', '.join(topics)}")
    for topic in chosen.topics or topics:
        run(topic, quick=chosen.quick, keep=chosen.write)


def run(topic: str, *, quick: bool, keep: bool) -> None:
    """Measure one topic in a folder of its own and print its tables."""
    module = importlib.import_module(f"benchmarks.{topic}")
    summary = inspect.getdoc(module) or topic
    print(f"== {topic}: {summary.splitlines()[0]}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="handfast-bench-") as folder:
        tables: list[_report.Table] = module.measure(Path(folder), quick=quick)
    for table in tables:
        print(table.plain(), end="\n\n", flush=True)
    if keep:
        _report.write(topic, summary, tables)


if __name__ == "__main__":
    main()
