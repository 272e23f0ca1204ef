"""`groundwork route …` and `groundwork experiment …`: public names over models, and what the split ones show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table

from contracts.models.experiments import Experiment, Figure
from contracts.models.routes import Route, RouteSpec, RouteTarget, RouteVersion
from groundwork.client import Groundwork
from groundwork.commands.answers.definitions import UNREADABLE, sendable, why
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Which route.")]
MOST = 100
SHARES = ("rating", "support", "abstention", "error_rate")


class RouteFileInvalid(GroundworkError):
    """The file holds no route."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(
            f"'{file}' holds no route: {problem}. Write a mapping in YAML or JSON with targets, split_by, guard, as "
            "`groundwork route show` prints it."
        )


class RouteMissing(GroundworkError):
    """Nobody has put a route of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no route '{name[:100]}'. `groundwork route list` shows those that there are.")


class NothingBefore(GroundworkError):
    """The route has one version only."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name[:100]}' was never otherwise. `groundwork route versions {name[:100]}` lists it.")


class VariantMissing(GroundworkError):
    """The variant that is to stay is not one of the route's."""

    def __init__(self, keep: str, variants: Sequence[str]) -> None:
        super().__init__(f"There is no variant '{keep[:100]}' to keep. Take one of: {', '.join(variants)}.")


def register(app: typer.Typer) -> None:
    """Add both groups' commands."""
    routes = typer.Typer(no_args_is_help=True, help="Routes: public names over models, with versions.")
    for name, command in (
        ("list", listed),
        ("show", show),
        ("set", put),
        ("versions", versions),
        ("rollback", rollback),
        ("delete", delete),
    ):
        routes.command(name)(command)
    app.add_typer(routes, name="route")
    experiments = typer.Typer(no_args_is_help=True, help="Experiments: what the variants of a split route have shown.")
    for name, command in (("list", list_experiments), ("show", show_experiment), ("stop", stop)):
        experiments.command(name)(command)
    app.add_typer(experiments, name="experiment")


def listed(context: typer.Context) -> None:
    """List routes with their targets."""
    session = session_of(context)
    with session.client() as client:
        for route in client.routes.list():
            session.out.print(f"{route.name}\tversion {route.version}\t{_targets(route.targets)}")


def show(context: typer.Context, name: NameArgument) -> None:
    """Print a route as YAML, which `set` reads."""
    session = session_of(context)
    with session.client() as client:
        session.write(yaml.safe_dump(_spec_of(_route(client, name)), sort_keys=False, allow_unicode=True).rstrip())


def put(
    context: typer.Context,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="YAML or JSON with targets, split_by, guard, shadow.")],
) -> None:
    """Put a route; one that differs from the one before is a version, and answers at once."""
    try:
        spec = sendable(yaml.safe_load(file.read_text(encoding="utf-8")))
    except UNREADABLE as error:
        raise RouteFileInvalid(file, why(error)) from None
    if not isinstance(spec, dict):
        raise RouteFileInvalid(file, "it is no mapping")
    session = session_of(context)
    with session.client() as client:
        route = client.routes.put(name, spec)
    session.out.print(f"{route.name} version {route.version}")


def versions(context: typer.Context, name: NameArgument) -> None:
    """List the versions of a route, the newest first."""
    session = session_of(context)
    with session.client() as client:
        for one, _ in zip(client.routes.versions(name), range(MOST), strict=False):
            ended = f"\t{_end_of(one.ended_by)}" if one.ended_by else ""
            state = "answers" if one.active else "before"
            session.out.print(f"{one.version}\t{state}\t{_targets(one.spec.targets)}{ended}")


def rollback(
    context: typer.Context,
    name: NameArgument,
    version: Annotated[int | None, typer.Option(min=1, help="Which; the one that answered before, by default.")] = None,
) -> None:
    """Have an earlier version of a route answer again."""
    session = session_of(context)
    with session.client() as client:
        number = version or _version_before(client, name).version
        route = client.routes.activate(name, number)
    session.out.print(f"{route.name} version {route.version}")


def delete(context: typer.Context, name: NameArgument) -> None:
    """Remove a route; calls that name it are 404 from then on."""
    session = session_of(context)
    with session.client() as client:
        client.routes.delete(name)
    session.out.print(f"'{name}' is gone.")


def list_experiments(context: typer.Context) -> None:
    """List routes that are split, or have a shadow."""
    session = session_of(context)
    with session.client() as client:
        for route in client.routes.list():
            if RouteSpec.model_validate(_spec_of(route)).is_experiment:
                guard = f"guard {route.guard.metric}" if route.guard else "no guard"
                session.out.print(f"{route.name}\tversion {route.version}\tby {route.split_by}\t{guard}")


def show_experiment(
    context: typer.Context,
    name: NameArgument,
    version: Annotated[int | None, typer.Option(min=1, help="Which; the one that is split, by default.")] = None,
) -> None:
    """Show what each variant has shown: averages with intervals, and p against the first."""
    session = session_of(context)
    with session.client() as client:
        found = client.routes.experiment(name, version)
    state = "answers" if found.active else "has ended"
    session.out.print(f"{found.route} version {found.version}, split by {found.split_by}, {state}")
    if found.ended_by:
        session.out.print(_end_of(found.ended_by))
    session.out.print(_figures(found))


def stop(
    context: typer.Context,
    name: NameArgument,
    keep: Annotated[
        str | None, typer.Option(help="The variant that answers from now on; the first by default.")
    ] = None,
) -> None:
    """End a split: one variant gets all calls, and there is no shadow any more. `route rollback` takes it up again."""
    session = session_of(context)
    with session.client() as client:
        route = _route(client, name)
        variants = [target.variant for target in route.targets]
        if keep is not None and keep not in variants:
            raise VariantMissing(keep, variants)
        kept = route.targets[variants.index(keep) if keep else 0].model_copy(update={"weight": 1})
        ended = route.model_copy(update={"targets": [kept], "guard": None, "shadow": None})
        made = client.routes.put(name, _spec_of(ended))
    session.out.print(f"{made.name} version {made.version}: {kept.variant}")


def _route(client: Groundwork, name: str) -> Route:
    found = next((route for route in client.routes.list() if route.name == name), None)
    if found is None:
        raise RouteMissing(name)
    return found


def _version_before(client: Groundwork, name: str) -> RouteVersion:
    """That which ended last."""
    earlier = [one for one in client.routes.versions(name) if not one.active and one.ended_at is not None]
    if not earlier:
        raise NothingBefore(name)
    return max(earlier, key=lambda one: one.ended_at or one.activated_at)


def _spec_of(route: Route) -> dict[str, Any]:
    """What `PUT` takes, without what is as it is by default."""
    given = {name: getattr(route, name) for name in RouteSpec.model_fields}
    return RouteSpec.model_validate(given, from_attributes=True).model_dump(
        mode="json", exclude_defaults=True, exclude_none=True
    )


def _targets(targets: Sequence[RouteTarget]) -> str:
    return ", ".join(f"{target.variant} {target.weight}" for target in targets)


def _end_of(end: Any) -> str:
    worse = f"{end.metric} {end.value:.3g} against {end.baseline:.3g}, p {end.p:.2g}"
    return f"'{end.variant}' was ended by the guard: {worse}"


def _figures(found: Experiment) -> Table:
    table = Table(box=None)
    metrics = list(found.variants[0].measures) if found.variants else []
    for heading in ("variant", "weight", "calls", "units", *metrics):
        table.add_column(heading)
    for one in found.variants:
        name = f"{one.name} (shadow)" if one.is_shadow else one.name
        measures = (_figure(one.measures[metric], is_share=metric in SHARES) for metric in metrics)
        table.add_row(name, str(one.weight), str(one.calls), str(one.units), *measures)
    return table


def _figure(figure: Figure, *, is_share: bool) -> str:
    """`0.92 (0.85-0.97) p 0.03`; a dash where nothing is known."""
    if figure.value is None:
        return "-"

    def text(value: float) -> str:
        return f"{value:.0%}" if is_share else f"{value:.3g}"

    interval = "" if figure.low is None or figure.high is None else f" ({text(figure.low)}-{text(figure.high)})"
    return text(figure.value) + interval + ("" if figure.p is None else f" p {figure.p:.2g}")
