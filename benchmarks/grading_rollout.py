"""CPU time of grading a batch of 512 outputs beside that of the roll-out that wrote them.

The roll-out is forward passes alone, of the smallest backbone of `reoac` (a ModernBERT of 0.2 M
parameters on 48 positions), and only two of them: whatever else a roll-out does, more passes or a
larger model make the share smaller. The outputs are solutions of generated word problems, every
second with a wrong answer. One thread, medians of turns.

    python benchmarks/grading_rollout.py [--out benchmarks/results.json]
"""

import argparse
import re
from pathlib import Path

import torch
from common import RESULTS, merge, row, say, side_by_side
from transformers import ModernBertConfig, ModernBertForMaskedLM

from versus.experiments.reoac.data.config import Generated
from versus.experiments.reoac.data.generated import draw_splits
from versus.grading import grade

COMMAND = "python benchmarks/grading_rollout.py"
OUTPUTS, POSITIONS, PASSES = 512, 48, 2
SHARE = 0.02
TURNS = 5


def main() -> None:
    """Measure the share, print it and merge it into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, ids = _backbone(), torch.randint(5, 150, (OUTPUTS, POSITIONS))
    pairs = _outputs()

    def grading() -> None:
        for gold, output in pairs:
            grade(gold, output, "gsm8k")

    @torch.inference_mode()
    def roll_out() -> None:
        for _ in range(PASSES):
            model(input_ids=ids)

    seconds = side_by_side({"grading": grading, "roll-out": roll_out}, TURNS, 1)
    share = seconds["grading"] / seconds["roll-out"]
    say(", ".join(f"{name} {taken * 1e3:.1f} ms" for name, taken in seconds.items()))
    say(f"share of grading: {share:.2%}")
    name = f"grading: {SHARE:.0%} of a roll-out of {OUTPUTS} outputs, divided by the share measured"
    merge(arguments.out, [row("reoac", name, SHARE / share, 1.0, COMMAND)])


def _backbone() -> ModernBertForMaskedLM:
    config = ModernBertConfig(
        vocab_size=151,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        pad_token_id=0,
        bos_token_id=1,
        cls_token_id=1,
        eos_token_id=2,
        sep_token_id=2,
        max_position_embeddings=POSITIONS,
        global_attn_every_n_layers=1,
    )
    return ModernBertForMaskedLM(config).eval()


def _outputs() -> list[tuple[str, str]]:
    """Golds and outputs."""
    rows = draw_splits(Generated(train=OUTPUTS, test=1), "gsm8k")["train"]
    solutions = [row["answer"] for row in rows]
    wrong = [re.sub(r"#### (\d)", r"#### 1\1", text) for text in solutions]
    golds = [text.rpartition("#### ")[2] for text in solutions]
    outputs = [*solutions[::2], *wrong[1::2]]
    return list(zip([*golds[::2], *golds[1::2]], outputs, strict=True))


if __name__ == "__main__":
    main()
