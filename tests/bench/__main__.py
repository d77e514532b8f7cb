"""`python -m tests.bench [--quick] [--json FILE] [--only NAME …]`: measures and prints the table."""

import argparse
import asyncio
import sys
from pathlib import Path

from tests.bench import keeping, relay, report
from tests.bench import page as pages
from tests.bench.processes import provider, running
from tests.bench.scenarios import Bench, Sizes

ALL = {
    "first_page": Bench.first_page,
    "stream": Bench.stream,
    "fresh": Bench.fresh,
    "first_text": Bench.first_text,
    "long_chat": Bench.long_chat,
    "fast": Bench.fast,
    "at_once": Bench.at_once,
    "storing": keeping.storing,
    "long_open": keeping.long_open,
    "long_list": keeping.long_list,
    "idle": Bench.idle,
    "relay": relay.relay,
}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs and a shorter long chat: 6 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--only", nargs="+", choices=ALL, default=ALL, metavar="NAME", help=", ".join(ALL))
    args = parser.parse_args()
    load = report.machine()["load"]
    async with (
        provider() as upstream,
        running("ours", upstream) as ours,
        running("bare", upstream) as bare,
        pages.browser() as chromium,
    ):
        bench = Bench(upstream, chromium, {"ours": ours, "bare": bare}, Sizes(args.quick), say)
        for name, scenario in ALL.items():
            if name in args.only:
                await scenario(bench)
    print(report.table(bench.measures))
    machine = report.machine()
    print(f"\n{machine['cores']} cores, load {load:.1f} before and {machine['load']:.1f} after.")
    if load > 0.5:
        print("The machine was busy with something else: measure again when it is quiet.")
    if args.json:
        report.write(args.json, bench.measures, args.quick)


if __name__ == "__main__":
    asyncio.run(main())
