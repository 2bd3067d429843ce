"""The commands `forecast schedule ...`, and the arguments that all verbs take."""

from pathlib import Path
from typing import Annotated

import typer

from forecast.config import load_config

schedule_app = typer.Typer(help="Run, list, export or install the schedule.", no_args_is_help=True)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The run's YAML file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override one value; repeatable."),
]


@schedule_app.command("run")
def schedule_run(
    config: ConfigPath,
    overrides: Overrides = None,
    now: Annotated[
        str | None, typer.Option(help="Replay: start of a moved clock, such as 2013-12-01T00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Stop at this instant.")] = None,
) -> int | None:
    """Run the jobs when they are due, until stopped."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.schedule import run

    return run(settings, overrides=overrides or (), now=now, until=until)


@schedule_app.command("list")
def schedule_list(config: ConfigPath, overrides: Overrides = None) -> int | None:
    """Show each job's next and last run."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.schedule import show

    return show(settings)


@schedule_app.command("health")
def schedule_health(config: ConfigPath, overrides: Overrides = None) -> int | None:
    """Say whether the service works, for a probe: exit code 0 or 1."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.schedule import health

    return health(settings)


@schedule_app.command("export")
def schedule_export(
    config: ConfigPath,
    overrides: Overrides = None,
    form: Annotated[
        str, typer.Option("--format", help="crontab, kubernetes or airflow.")
    ] = "crontab",
) -> int | None:
    """Print the schedule for another scheduler."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.schedule_export import run

    return run(settings, form=form, overrides=overrides or ())


@schedule_app.command("install")
def schedule_install(
    config: ConfigPath,
    overrides: Overrides = None,
    show: Annotated[bool, typer.Option("--print", help="Only print the units.")] = False,  # noqa: FBT002
) -> int | None:
    """Install systemd timers that catch up on missed runs."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.schedule_export import install

    return install(settings, show=show, overrides=overrides or ())
