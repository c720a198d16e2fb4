"""`apr cache`: what the thread cache holds.

Everything heavy is imported when it is needed.
"""

import typer

from graphs.cli.refusal import refuse

HELP = """Show or empty the thread cache.

apr … --cache saves the results of threads. Later runs reuse them if question, sources, model and prompt are the same.

The cache is one file in your cache folder; APR_CACHE_FILE names another, APR_REDIS_URL a Redis server.

[bold]Examples[/bold]

  apr cache stats

  apr cache clear
"""

app = typer.Typer(
    add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False, no_args_is_help=True, help=HELP
)


@app.command()
def stats() -> None:
    """Print how many results the cache has, their size and place."""
    from nodes.threads.cache_store import CacheError, cache_stats

    try:
        found = cache_stats()
    except CacheError as error:
        refuse(str(error))
    typer.echo(f"{found.entries:,} results, {found.size:,} bytes, in {found.where}")


@app.command()
def clear() -> None:
    """Delete all results."""
    from nodes.threads.cache_store import CacheError, clear_cache

    try:
        typer.echo(f"{clear_cache():,} results removed")
    except CacheError as error:
        refuse(str(error))
