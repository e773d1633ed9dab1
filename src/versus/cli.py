"""The command line. Nothing heavy is imported before a verb needs it."""

import importlib
import logging
import sys
from collections.abc import Sequence

import versus
from versus.core.errors import ConfigError, VersusError

USAGE = """\
versus: controlled comparisons of learning systems

usage: versus VERB [EXPERIMENT] [options] [--key value ...]

  list                  experiments and what they compare
  train X               run the comparison: data, training, verdict
  compare X             verdict and plots again, from the tables on disk
  evaluate X            measure registered models; reproduces the training's metrics
  promote X             make candidates champions where they are better; --rollback, --history
  predict X --input F   what a model finds in files of your own: a file, files or a folder
  import X FILE         a checkpoint of the seed document as a folder and a registered model
  export X --path DIR   weights as one file (--format pt for torch.load)
  search X --trials N   look for better settings on the tuning seeds (Optuna)
  job FOLDER PART       what machines of a cluster are told to do: see docs/operations.md
  plots X [--csv FILE]  pictures of a finished comparison, or of a table from elsewhere
  analyze X TOOL        pictures and tables of metrics and weights; analyze --list
  stage X NAME          one pipeline stage (data, train, compare, evaluate): what dvc.yaml calls
  grade FILE.jsonl      grade answers to GSM8K or MATH problems against their golds
  new NAME              write a new experiment that runs at once; asks what no flag says
  demo                  every experiment at its smallest, under runs/demo
  claims                what source documents and papers state, held against tracked runs
  report                all results of a profile as one HTML page
  sync                  send to MLflow what could not be sent before
  ui                    open the MLflow UI on 127.0.0.1

`versus VERB --help` and `versus train X --help` tell more. Exit codes: 0 done, 1 the work failed,
2 the input needs mending.
"""
VERBS = {
    "list": "project.list_experiments",
    "train": "comparisons.train",
    "compare": "comparisons.compare",
    "evaluate": "models.evaluate",
    "promote": "models.promote",
    "predict": "files.predict",
    "import": "files.import_checkpoint",
    "export": "models.export",
    "search": "comparisons.search",
    "job": "cluster.job",
    "plots": "comparisons.plots",
    "analyze": "analysis.analyze",
    "stage": "comparisons.stage",
    "grade": "grading.grade",
    "new": "scaffold.new",
    "demo": "project.demo",
    "claims": "project.claims",
    "report": "project.report",
    "sync": "project.sync",
    "ui": "project.ui",
}
"""Verb -> what does it, in :mod:`versus.verbs`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0 done, 1 failed, 2 wrong input)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    if not words or words[0] in ("-h", "--help", "help"):
        return _say(USAGE)
    if words[0] == "--version":
        return _say(f"versus {versus.__version__}\n")
    return _run(words[0], words[1:])


def _say(text: str) -> int:
    sys.stdout.write(text)
    return 0


def _run(verb: str, words: list[str]) -> int:
    from versus.core.arguments import HelpRequested
    from versus.core.launching import lifeline

    lifeline.attach()
    try:
        if verb not in VERBS:
            raise ConfigError(f"versus {verb}: no such verb; choose one of {', '.join(VERBS)}")
        module, _, function = VERBS[verb].partition(".")
        getattr(importlib.import_module(f"versus.verbs.{module}"), function)(words)
    except HelpRequested as text:
        return _say(str(text))
    except VersusError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command continues where this one stopped\n")
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:  # a full disk, a folder that may not be written
        sys.stderr.write(f"error: {error}; mend that, and the same command continues\n")
        return 1
    return 0
