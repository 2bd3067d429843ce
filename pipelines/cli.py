"""The command line `forecast VERB CONFIG`: reads arguments, calls one job, sets the exit code."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from forecast.config import load_config
from forecast.redaction import redact
from pipelines.process.faults import tell_fault
from pipelines.process.together import fault, join, leave
from pipelines.schedule_cli import ConfigPath, Overrides, schedule_app

app = typer.Typer(
    name="forecast",
    help="From a table of readings to forecasts in files, on time, every time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(schedule_app, name="schedule")

SPREAD = {"train", "retrain", "predict"}
"""Verbs that several processes do together; the others are done by the first one alone."""


def _print_version(is_asked: bool) -> None:  # noqa: FBT001 - typer's signature
    if is_asked:
        from importlib.metadata import version

        print(f"lstm-forecast {version('lstm-forecast')}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,  # noqa: FBT002
    version: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Settle which processes take part; `main` reads --debug from the arguments."""
    del debug, version
    if context.invoked_subcommand in SPREAD:
        join()
    elif not leave():
        raise typer.Exit


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(),
) -> None:
    """Write a commented starter config and the sample data."""
    from pipelines.jobs.init import run

    run(folder)


@app.command()
def check(
    config: ConfigPath,
    overrides: Overrides = None,
    strict: Annotated[bool, typer.Option(help="Warnings count as errors.")] = False,  # noqa: FBT002
    json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,  # noqa: FBT002
    html: Annotated[Path | None, typer.Option(help="Write a page with plots.")] = None,
) -> int | None:
    """Look at config and data: findings as a table, no training."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.check import run

    return run(settings, strict=strict, as_json=json, html=html)


@app.command()
def prepare(
    config: ConfigPath,
    overrides: Overrides = None,
    force: Annotated[bool, typer.Option(help="Build again even if unchanged.")] = False,  # noqa: FBT002
) -> None:
    """Turn the tables into the panel; skipped when nothing changed."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.prepare import run

    run(settings, force=force)


@app.command()
def train(config: ConfigPath, overrides: Overrides = None) -> int | None:
    """Train, calibrate, evaluate, track and register a model."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.train import run

    return run(settings)


@app.command()
def tune(config: ConfigPath, overrides: Overrides = None) -> int | None:
    """Search for better settings by the one metric; resumes."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.tune import run

    return run(settings)


@app.command()
def evaluate(
    config: ConfigPath,
    overrides: Overrides = None,
    days: Annotated[int | None, typer.Option(help="Backtest the newest days.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First cutoff.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last cutoff.")] = None,
    version: Annotated[str | None, typer.Option(help="Version instead of the champion.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle instead.")] = None,
) -> int | None:
    """Backtest the champion beside the baselines; write the HTML report."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.evaluate import run
    from pipelines.process.alerts import watched

    return watched(
        settings,
        "evaluate",
        lambda: run(settings, days=days, first=first, last=last, version=version, bundle=bundle),
    )


@app.command()
def predict(
    config: ConfigPath,
    overrides: Overrides = None,
    cutoff: Annotated[str | None, typer.Option(help="Last timestamp to use.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="Backfill: first cutoff.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Backfill: last cutoff.")] = None,
    template: Annotated[
        Path | None, typer.Option(help="Write the known-covariate table to fill in.")
    ] = None,
) -> int | None:
    """Write the champion's forecasts from the newest readings."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.predict import run
    from pipelines.process.alerts import watched

    return watched(
        settings,
        "predict",
        lambda: run(settings, cutoff=cutoff, first=first, last=last, template=template),
    )


@app.command()
def score(config: ConfigPath, overrides: Overrides = None) -> int | None:
    """Join past forecasts with the readings that arrived: error, coverage, drift."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.score import run
    from pipelines.process.alerts import watched

    return watched(settings, "score", lambda: run(settings))


@app.command()
def retrain(
    config: ConfigPath,
    overrides: Overrides = None,
    force: Annotated[bool, typer.Option(help="Train regardless of the triggers.")] = False,  # noqa: FBT002
    dry_run: Annotated[bool, typer.Option(help="Only print what would be done.")] = False,  # noqa: FBT002
) -> int | None:
    """Train a challenger if due; it becomes champion only through the gate."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.retrain import run
    from pipelines.process.alerts import watched

    return watched(settings, "retrain", lambda: run(settings, force=force, dry_run=dry_run))


@app.command()
def promote(
    config: ConfigPath,
    version: Annotated[str | None, typer.Argument(help="Version to make champion.")] = None,
    overrides: Overrides = None,
    rollback: Annotated[bool, typer.Option(help="Return to the previous champion.")] = False,  # noqa: FBT002
) -> int | None:
    """Move the champion alias by hand."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.promote import run

    return run(settings, version=version, rollback=rollback)


@app.command()
def verify(config: ConfigPath, overrides: Overrides = None) -> int | None:
    """Check what is on disk against its checksums; say what is damaged and how it heals."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.verify import run

    return run(settings)


@app.command()
def clean(
    config: ConfigPath,
    overrides: Overrides = None,
    forecasts_before: Annotated[
        str | None, typer.Option(help="Also forecasts with earlier cutoffs, once they are scored.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it.")] = False,  # noqa: FBT002
) -> None:
    """List what is no longer needed on disk, and its size; remove it with --yes."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.clean import run

    run(settings, forecasts_before=forecasts_before, is_agreed=yes)


@app.command()
def ui(
    config: ConfigPath,
    overrides: Overrides = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5000,
) -> int | None:
    """Open the MLflow UI of the run's own store on 127.0.0.1."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.ui import run

    return run(settings, port=port)


@app.command()
def serve(
    config: ConfigPath,
    overrides: Overrides = None,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 5001,
) -> int | None:
    """Serve the champion over HTTP on 127.0.0.1."""
    settings = load_config(config, overrides or ())
    from pipelines.jobs.serve import run

    return run(settings, port=port)


@app.command()
def schema() -> None:
    """Print the config's JSON Schema, for editors."""
    from pipelines.jobs.schema import run

    run()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code.

    A fault that a person can mend is printed without a traceback, unless `--debug`.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result = app(args=arguments, prog_name="forecast", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted; nothing half-written is left", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - told to the person, whatever it is
        if "--debug" in arguments:
            print(redact(traceback.format_exc()), file=sys.stderr, end="")
        if not fault(error):
            return getattr(error, "exit_code", 1)
        return tell_fault(error)
    if result == 130:  # typer turns Ctrl-C into a result
        print("interrupted; nothing half-written is left", file=sys.stderr)
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
