"""`oddwatch cluster`: cameras on more machines than one, over Ray."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.printing import print_json, print_table
from monitor.names import counted

if TYPE_CHECKING:
    from monitor.cluster.reports import FleetStatus, NodeStatus

app = typer.Typer(
    no_args_is_help=True,
    help="Watch cameras on several machines: one engine on each node of a Ray cluster.",
)
AT = Annotated[
    str,
    typer.Option(
        "--address", metavar="HOST:PORT", help="Of the Ray cluster; auto: this machine's."
    ),
]
JSON = Annotated[bool, typer.Option("--json", help="For programs.")]
NOT_WELL = 3  # exit status, as of oddwatch status


@app.command("up")
def up(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Of the fleet.")],
    address: AT = "auto",
) -> None:
    """Share the cameras out over the nodes, or bring a changed configuration to them.

    What runs goes on: a new configuration reaches one node after the other.

    \b
    Example:  ray start --head
              oddwatch cluster up fleet.toml
    """  # noqa: D301
    from monitor.cluster.fleet import Fleet, check_store, load
    from monitor.cluster.ray_link import connected

    book = load(config)
    warning = check_store(book)
    with connected(address) as ray:
        generation = Fleet(ray).up(book)
    if warning:
        typer.echo(f"oddwatch: {warning}", err=True)
    print(
        f"coordinator {generation} shares out {counted(len(book.demands()), 'camera')}; "
        "see: oddwatch cluster status"
    )


@app.command("status")
def status(address: AT = "auto", as_json: JSON = False) -> None:
    """Say how nodes are, and which cameras wait for one.

    Exit status 3: a node is not well or does not watch what it was told, or a camera waits.

    \b
    Example:  oddwatch cluster status
              oddwatch cluster status --json
    """  # noqa: D301
    from monitor.cluster.fleet import Fleet
    from monitor.cluster.ray_link import connected

    with connected(address) as ray:
        found = Fleet(ray).status()
    if as_json:
        print_json(_plain(found))
    else:
        _tell(found)
    well = all(node.state in ("up", "settling") and not node.warnings for node in found.nodes)
    raise typer.Exit(0 if well and not found.waiting else NOT_WELL)


@app.command("drain")
def drain(
    node: Annotated[str, typer.Argument(metavar="NODE", help="As oddwatch cluster status has it.")],
    address: AT = "auto",
    undo: Annotated[bool, typer.Option("--undo", help="Give it cameras again.")] = False,
) -> None:
    """Move a node's cameras to the others, as these have room; it gets no new ones.

    \b
    Example:  oddwatch cluster drain node-2
              oddwatch cluster drain node-2 --undo
    """  # noqa: D301
    from monitor.cluster.fleet import Fleet
    from monitor.cluster.ray_link import connected

    with connected(address) as ray:
        Fleet(ray).drain(node, on=not undo)
    print(f"{node} {'takes cameras again' if undo else 'drains; see: oddwatch cluster status'}")


@app.command("down")
def down(address: AT = "auto") -> None:
    """End all engines; events, pictures and clips stay where they are.

    \b
    Example:  oddwatch cluster down
    """  # noqa: D301
    from monitor.cluster.fleet import Fleet
    from monitor.cluster.ray_link import connected

    with connected(address) as ray:
        count = Fleet(ray).down()
    print(f"ended on {counted(count, 'node')}")


@app.command("api")
def api(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Of the fleet.")],
    host: Annotated[str, typer.Option(help="Instead of the configuration's [api] host.")] = "",
    port: Annotated[
        int | None, typer.Option(help="Instead of the configuration's [api] port.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Gets api.json, by which oddwatch tui finds it.")
    ] = Path("oddwatch-fleet"),
) -> None:
    """Serve the API of one engine for all nodes together, until Ctrl-C. Needs no Ray.

    Cameras have the tags of the configuration, and node:NAME of where they are; dashboards and
    /api/cameras, /api/alerts and /api/stream (?tag=site:north) choose by them.

    \b
    Example:  oddwatch cluster api fleet.toml
              oddwatch tui http://127.0.0.1:8737
    """  # noqa: D301
    import logging

    from monitor.cluster.serving import serve_fleet

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level="INFO", force=True)
    for name in ("httpx", "uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    serve_fleet(
        config,
        folder,
        host=host,
        port=port,
        told=lambda url: typer.echo(f"the fleet answers at {url}; see: oddwatch tui {url}"),
    )


def _plain(found: "FleetStatus") -> dict[str, object]:
    return asdict(found)


def _tell(found: "FleetStatus") -> None:
    if found.gathering:
        print("the coordinator is new and waits for the nodes' reports")
    heads = ("node", "state", "cameras", "load", "capacity", "tags", "heard", "unsent")
    print_table(heads, [_row(node) for node in found.nodes])
    for node in found.nodes:
        for warning in node.warnings:
            print(f"{node.node}: {warning}")
        if not node.current:
            print(f"{node.node}: still has an earlier configuration")
    print(f"{counted(len(found.where), 'camera')} placed, {counted(found.moves, 'move')} so far")
    for camera, why in sorted(found.waiting.items()):
        print(f"{camera} waits: {why}")


def _row(node: "NodeStatus") -> tuple[str, ...]:
    share = f"{100 * node.load / node.capacity:.0f} %" if node.capacity else "-"
    return (
        node.node, node.state, str(node.cameras), share, f"{node.capacity / 1000:g}/s",
        ", ".join(node.tags), f"{node.heard_s:.0f} s ago", str(node.unsent),
    )  # fmt: skip
