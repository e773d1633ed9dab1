"""A work folder with series like those of grokking runs, without training anything."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

VARIANTS = ("random", "stride", "fixed-random", "target")
ONSET = {"random": 55, "stride": 22, "fixed-random": 30, "target": 400}
LAYERS = (
    "embedding.weight",
    "layers.0.attn.weight",
    "layers.0.ffn.weight",
    "layers.1.attn.weight",
    "layers.1.ffn.weight",
    "layers.10.ffn.weight",
    "decoder.weight",
)
WORK = Path("runs") / "memory" / "feed0123456789abcdef0123456789ab"


def write_work_folder(
    root: Path, *, seeds: int = 3, epochs: int = 60, variants: tuple[str, ...] = VARIANTS
) -> Path:
    """Series, final metrics and models of a finished comparison below ``root``; its work folder."""
    work = root / WORK
    for stack, variant in enumerate(variants):
        folder = work / "stacks" / f"{stack:04d}"
        folder.mkdir(parents=True)
        lines = [
            json.dumps(record(variant, seed, epoch, epochs)) + "\n"
            for epoch in range(1, epochs + 1)
            for seed in range(seeds)
        ]
        written = (folder / "metrics.jsonl").write_text("".join(lines), encoding="utf-8")
        (folder / "cursor.json").write_text(json.dumps({"bytes": written}), encoding="utf-8")
    _describe(work, variants, seeds)
    _results(work / "results", variants, seeds)
    return work


def record(variant: str, seed: int, epoch: int, epochs: int) -> dict[str, Any]:
    """One line of a series."""
    draw = np.random.default_rng([seed, epoch, VARIANTS.index(variant)])
    onset = ONSET[variant] + 4 * seed
    risen = 1 / (1 + np.exp(-(epoch - onset) / 2.5))
    loss = 5 * np.exp(-epoch / 6) + 0.02 * draw.random() + 0.01
    metrics = {
        "train/loss": loss,
        "train/accuracy": float(np.clip(1 - np.exp(-epoch / 5), 0, 1)),
        "test/loss": 5.5 - 5.3 * risen + 0.05 * draw.random(),
        "test/accuracy": float(np.clip(0.01 + 0.99 * risen + 0.01 * draw.normal(), 0, 1)),
        "norms/total_norm": 1 + 3 * np.exp(-epoch / 20) + 0.1 * draw.random(),
        "training_metrics/loss": loss,
        "training_metrics/learning_rate": 1e-3,
    }
    for index, layer in enumerate(LAYERS):
        metrics[f"norms/norm_{layer}"] = np.exp(-index / 2 - epoch / 25) * (1 + draw.random())
        metrics[f"weight_tracking/{layer}/weight_norm"] = 1 + index + epoch / epochs
    for k in range(1, 13):
        start = 4 * k if variant != "target" else 400
        power = -np.expm1(-max(epoch - start, 0) / 10) / k
        metrics[f"fourier/freq_power_{k}"] = power
    return {
        "time": 1_700_000_000_000 + epoch,
        "step": 40 * epoch,
        "epoch": epoch,
        "variant": variant,
        "seed": seed,
        "metrics": {name: float(value) for name, value in metrics.items()},
    }


def _describe(work: Path, variants: tuple[str, ...], seeds: int) -> None:
    described = {
        "experiment": "memory",
        "name": "ordering sample",
        "digest": work.name,
        "results": "results",
        "profile": "smoke",
        "children": "run",
        "tags": {},
        "seeds": list(range(seeds)),
        "variants": {variant: {} for variant in variants},
        "params": {"compare.baseline": "random"},
        "primary": ["test/accuracy"],
        "data": {"name": "sample", "digest": "0" * 32, "source": "runs/memory/data/sample"},
    }
    (work / "comparison.json").write_text(json.dumps(described), encoding="utf-8")
    (work / "status.json").write_text('{"state": "finished", "message": ""}', encoding="utf-8")


def _results(results: Path, variants: tuple[str, ...], seeds: int) -> None:
    rows = ["variant,seed,grok/epoch,test/final_accuracy"]
    for index, variant in enumerate(variants):
        rows += [
            f"{variant},{s},{ONSET[variant] + 4 * s},{0.5 + 0.1 * index}" for s in range(seeds)
        ]
        folder = results / "models" / variant
        folder.mkdir(parents=True)
        save_file(weights(variant, seeds), folder / "weights.safetensors")
        config = {"name": f"memory-{variant}", "comparison": {}}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (results / "metrics.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def weights(variant: str, seeds: int) -> dict[str, np.ndarray[Any, Any]]:
    """Weights of a small transformer-like model: a periodic embedding, noise elsewhere."""
    tensors = {}
    for seed in range(seeds):
        shared = np.random.default_rng([seed, 7])
        own = np.random.default_rng([seed, 8, VARIANTS.index(variant)])
        for index, layer in enumerate(LAYERS):
            tall = layer.startswith("embedding")
            shape = (97, 12) if tall else (12, 16)
            values = shared.normal(size=shape) + 0.3 * (index + 1) * own.normal(size=shape)
            if tall:
                tokens = np.arange(97)[:, None]
                values += 4 * np.cos(2 * np.pi * 5 * tokens / 97 + np.arange(12)[None])
            tensors[f"{seed}/{layer}"] = values.astype(np.float32)
        tensors[f"{seed}/norm.bias"] = own.normal(size=12).astype(np.float32)
    return tensors
