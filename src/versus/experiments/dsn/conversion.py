"""A checkpoint of the seed as a model that predicts.

What the file does not tell is what the seed's scripts say: 20 frames a second, scenes of
PySceneDetect's content detector, the best frames of every scene with no distance between them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from versus.core import config as configs
from versus.core.errors import ConfigError
from versus.core.experiment import ModelPart
from versus.core.paths import shown
from versus.core.runs import UNRELATED
from versus.experiments.dsn import importing
from versus.experiments.dsn.config import Comparison
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.features import pretrained
from versus.experiments.dsn.data.features.extractors import longest_side, spec

CLIP, CLASSIC = 512, 1088
"""Numbers per frame of the seed's two extractors; the second is not the one called so here."""
EXTRACTOR = "data.features.extractor"
SEED = 0
SEEDS_WAY = {
    "data": {
        "source": "videos",
        "scenes": {"detector": "content", "threshold": 27.0, "min_scene_len": 48},
        "features": {"fps": 20.0},
    },
    "model": {"selection": {"gap": 0.0}},
    "compare": {"direction": "maximize"},
    "seeds": [SEED],
}


def part_of(file: Path, settings: Mapping[str, Any]) -> ModelPart:
    """Read a checkpoint; nothing in it is run.

    Args:
        file: ``.pt`` of the seed, baseline or advanced.
        settings: dotted key of the comparison -> value, for what the file does not tell.

    Raises:
        ConfigError: if a setting is wrong.
        DataError: see :func:`versus.experiments.dsn.importing.load`.
    """
    found = importing.load(file)
    comparison = _comparison(found, file, settings)
    weights = {f"{SEED}/scorer.{name}": tensor for name, tensor in found.state_dict.items()}
    config = {
        "name": "dsn-scorer",
        "experiment": "dsn",
        "part": "scorer",
        "variant": f"seed-{found.kind}",
        "extractor": _extractor(found, comparison.data.features, named=EXTRACTOR in settings),
        "features": found.sizes.features,
        "motion": found.sizes.motion,
        "comparison": comparison.model_dump(mode="json", exclude=UNRELATED),
        "data_digest": "",
        "final_metrics": {},
        "imported": file.name,
    }
    return ModelPart("dsn-scorer", weights, config)


def _comparison(found: importing.Imported, file: Path, settings: Mapping[str, Any]) -> Comparison:
    sizes = {"model": found.sizes.model.model_dump()}
    known = {"data": {"features": {"extractor": "clip"}}}
    seeds_way = configs.merge(SEEDS_WAY, known if found.sizes.features == CLIP else {})
    variants = {"experiment": "dsn", "variants": {f"seed-{found.kind}": {}}}
    layers = [("the seed's way", seeds_way), (shown(file), {**sizes, **variants})]
    layers += [(configs.COMMAND_LINE, configs.nested(k, v)) for k, v in settings.items()]
    comparison: Comparison = configs.load(Comparison, layers)
    told = comparison.model.model_dump(include=set(sizes["model"]))
    if told != sizes["model"]:
        keys = [f"model.{key}" for key, value in sizes["model"].items() if told[key] != value]
        raise ConfigError(f"{', '.join(keys)}: told by {shown(file)}; leave the flag out")
    return comparison


def _extractor(found: importing.Imported, config: Features, *, named: bool) -> dict[str, Any]:
    """Who made the features, as far as that is known."""
    side = longest_side(config)
    if not named and found.sizes.features != CLIP:
        name = "seed-classic" if found.sizes.features == CLASSIC else "unknown"
        return {"name": name, "version": 0, "model": "", "longest_side": side}
    try:
        return spec(config)
    except ConfigError:  # the seed's CLIP, but nobody has said where it lies
        own = {"version": pretrained.VERSION, "model": ""}
        return {"name": config.extractor, **own, "longest_side": side}
