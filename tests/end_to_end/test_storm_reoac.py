"""The experiment reoac in the fault storm: data, backbone, policies, verdict, evaluation."""

from typing import ClassVar

import pytest

from tests.contract import faults
from tests.contract.storm import FaultStorm, Verb, outcome

OVERLAY = """
experiment: reoac
seeds: 2
device: cpu
data:
  tasks: [gsm8k]
  generated: {train: 24, test: 4, levels: [0]}
backbone: {embedded: {width: 8, layers: 1, heads: 2, inner: 8}}
pretraining: {steps: 6, block: 2, problems: 40, held_out: 4, probe: 2, batch_size: 4}
train:
  finetune_mode: lora
  num_iterations: 3
  problems: 2
  samples: 2
  validation: 4
  evaluate_every: 2
  buffer_size: 8
  rollout: {temperature: 1.0}
  update: {actor_steps: 2, backbone_batch: 4}
  lora: {dropout: 0.1}
checkpoint: {every: 1}
"""
SUITE = """
experiment: reoac
models: [models:/reoac-actor@candidate]
metrics: [accuracy, passes]
promotion: {metric: score, direction: maximize}
"""


class TestReoacStorm(FaultStorm):
    """A policy and adapters, two seeds, three iterations; all draws, dropout and a buffer."""

    experiment: ClassVar = "reoac"
    overlay: ClassVar = OVERLAY
    suite: ClassVar = SUITE
    kills: ClassVar = 3
    real_kills: ClassVar = 1
    stormed: ClassVar = (
        *("stage data", "stage pretrain", "stage train", "stage compare", "stage evaluate"),
    )

    @pytest.fixture(autouse=True)
    def _warm(self) -> None:
        """What takes seconds in every process, before forking."""
        import peft
        from transformers import ModernBertForMaskedLM, PreTrainedTokenizerFast

        from versus.experiments.reoac.backbones.vocabulary import vocabulary

        assert all((peft, ModernBertForMaskedLM, PreTrainedTokenizerFast, vocabulary()))

    @property
    def verbs(self) -> dict[str, Verb]:
        """The stages, of which each needs those before it."""
        return self.in_order("data-gsm8k", "pretrain", "train", "compare", "evaluate")

    @pytest.mark.slow
    def test_a_full_disk_while_training(self) -> None:
        """While checkpoints, samples and tables are written: one message, and the same goes on."""
        smoke = ("--profile", "smoke", "--quiet", "--no-tracking")
        verb = Verb(("train", "reoac", *smoke), self.verbs["stage train"].before[:2])
        self.prepare(verb)
        moments = self.must(verb.words, lambda _: None, databases=False)
        expected = outcome(self.root)
        said = set()
        for part in (3, 5, 7):
            self.restore()
            moment = part * moments // 8
            assert self.run(verb.words, faults.disk_full_from(moment), databases=False) in (1, 2)
            text = self.log.read_text()
            (error,) = [line for line in text.splitlines() if line.startswith("error: ")]
            assert "No space left" in error, text
            assert "Traceback" not in text, text
            said.add(error.partition("runs/")[2].partition("/.")[0])
            self.completes(verb, expected, f"disk full from moment {moment} of {moments}")
        assert len(said) > 1, said
