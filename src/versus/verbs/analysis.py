"""The verb analyze: pictures and tables of recorded metrics and weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from versus.core.arguments import HelpRequested, Option, experiment_first, no_more, parse
from versus.core.display import Display
from versus.core.errors import ConfigError

if TYPE_CHECKING:
    from argparse import Namespace

    from versus.core.analysis.sources import Source

LIST = Option("list", "tools, and the metrics of the newest comparison", switch=True)


def analyze(words: list[str]) -> None:
    """Run one tool on one comparison."""
    if not words or words[0].startswith("-"):
        _without_experiment(words)
        return
    name, words = experiment_first("analyze", words)
    _check_experiment(name)
    if not words or words[0].startswith("-"):
        _without_tool(name, words)
        return
    tool_name, words = words[0].replace("-", "_"), words[1:]

    from versus.core.analysis import tools
    from versus.core.analysis.request import COMMON, SYNONYMS, Request

    tool = tools.find(tool_name)
    module = tool.load()
    verb = f"analyze {name} {tool_name}"
    options, rest = parse(verb, tool.about, _prepared(words, SYNONYMS), *module.OPTIONS, *COMMON)
    no_more(verb, rest)
    display = Display(options.quiet)
    source = _source(name, options, display)
    module.run(Request(tool_name, name, source, options, display))


def _without_experiment(words: list[str]) -> None:
    """List the tools, or say that an experiment is missing."""
    if "--list" in words:
        Display().line(_list_of_tools())
        return
    if words:
        experiment_first("analyze", words)  # an error unless help is asked for
        raise HelpRequested(_usage())
    experiment_first("analyze", words)


def _without_tool(name: str, words: list[str]) -> None:
    options, rest = parse(f"analyze {name}", _usage(), words, LIST)
    no_more(f"analyze {name}", rest)
    if not options.list:
        raise ConfigError(f"versus analyze {name}: name a tool\n{_list_of_tools()}")
    display = Display(options.quiet)
    display.line(_list_of_tools())

    from versus.core.analysis import sources

    if sources.comparisons(name):
        source = sources.find(name, None)
        display.line(f"\nmetrics of {source.title}:")
        display.line("\n".join(f"  {metric}" for metric in source.names) or "  none yet")


def _usage() -> str:
    return (
        "Pictures and tables of a comparison's metrics and weights: versus analyze EXPERIMENT TOOL "
        f"[options]. Tools:\n{_list_of_tools()}\n"
        "versus analyze EXPERIMENT TOOL --help tells a tool's options.\n"
    )


def _list_of_tools() -> str:
    from versus.core.analysis.tools import TOOLS

    return "\n".join(f"  {name:18}{tool.about}" for name, tool in TOOLS.items())


def _check_experiment(name: str) -> None:
    from versus.core.analysis.names import unknown
    from versus.core.experiment import available

    if name not in available():
        raise unknown("versus analyze", name, available(), "experiment")


def _prepared(words: Sequence[str], synonyms: dict[str, str]) -> list[str]:
    """Other names of options replaced, and ``--mlflow`` given its value."""
    prepared = []
    for index, word in enumerate(words):
        flag, equals, value = word.partition("=")
        prepared.append(synonyms.get(flag, flag) + equals + value)
        following = words[index + 1 : index + 2]
        if word == "--mlflow" and (not following or following[0].startswith("-")):
            prepared.append("newest")
    return prepared


def _source(name: str, options: "Namespace", display: Display) -> "Source":
    if options.mlflow is not None and options.run is not None:
        raise ConfigError("--run and --mlflow: give one of them; they name two sources")
    if options.mlflow is not None:
        from versus.core.analysis import tracked_series

        tracked = tracked_series.find(name, options.mlflow)
        if tracked.holds_means:
            display.note("MLflow holds one series per variant here: the mean over its seeds")
        return tracked

    from versus.core.analysis import sources
    from versus.core.analysis.series import refuse

    source = sources.find(name, options.run, display.warn if options.skip_corrupt else refuse)
    if source.state != "finished":
        display.note(f"{source.title} is {source.state}: its series go as far as it came")
    return source
