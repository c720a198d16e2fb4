"""`apr cache`: what the thread cache holds.

Everything heavy is imported when it is needed.
"""

import typer

from graphs.cli.report import refuse

HELP = """Look at the thread cache, or empty it.

`apr … --cache` keeps results of threads and reuses them in later runs that ask the same of the same sources, model and
prompt. They lie in one file in your cache folder (APR_CACHE_FILE names another), or on the Redis server that
APR_REDIS_URL names.

[bold]Examples[/bold]

  apr cache stats

  apr cache clear
"""

app = typer.Typer(
    add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True, help=HELP
)


@app.command()
def stats() -> None:
    """Print how many results are kept, how large they are and where."""
    from nodes.threads.cache_store import CacheError, cache_stats

    try:
        found = cache_stats()
    except CacheError as error:
        refuse(str(error))
    typer.echo(f"{found.entries:,} results, {found.size:,} bytes, in {found.where}")


@app.command()
def clear() -> None:
    """Remove all results."""
    from nodes.threads.cache_store import CacheError, clear_cache

    try:
        typer.echo(f"{clear_cache():,} results removed")
    except CacheError as error:
        refuse(str(error))
