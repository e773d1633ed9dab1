"""Which network scores frames."""

from typing import Literal

from pydantic import Field, model_validator

from versus.core.config import Section


class ModelConfig(Section):
    """The network that scores frames. The defaults are the seed's."""

    kind: Literal["baseline", "advanced"] = "baseline"
    """baseline: one layer and a BiLSTM; advanced: also scales, attention and positions."""
    hidden: int = Field(256, ge=1, le=65_536)
    """Numbers that describe a frame inside the network."""
    lstm_hidden: int = Field(128, ge=1, le=65_536)
    """Numbers of the LSTM in each of its two directions."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of numbers that a training step leaves out."""
    motion: Literal["none", "simple", "cross_attention"] = "none"
    """How motion joins appearance. simple: side by side through two layers; cross_attention:
    motion asks, appearance answers."""
    lstm: bool = True
    """Kind advanced: a BiLSTM before the head."""
    heads: int = Field(4, ge=1, le=1024)
    """Heads of every attention; they divide ``hidden``."""
    layers: int = Field(2, ge=0, le=64)
    """Kind advanced: self-attention layers; 0 = none."""
    attention_dropout: float = Field(0.1, ge=0, lt=1)
    """Kind advanced: the same inside self-attention layers."""
    scales: int = Field(3, ge=1, le=12)
    """Kind advanced: temporal scales; scale s sees means over 2^s frames."""
    fusion: Literal["concat", "sum", "softmax"] = "concat"
    """Kind advanced: how scales come together. softmax: weights that each frame chooses."""
    positions: Literal["sinusoidal", "learned"] = "sinusoidal"
    """Kind advanced: how frames know their place."""
    table: int = Field(1000, ge=2, le=1_000_000)
    """Learned positions: entries. Longer sequences are stretched over them."""

    @model_validator(mode="after")
    def _heads_divide(self) -> "ModelConfig":
        attends = self.motion == "cross_attention" or (self.kind == "advanced" and self.layers > 0)
        if attends and self.hidden % self.heads:
            raise ValueError(
                f"heads must divide hidden; received heads {self.heads} and hidden {self.hidden}"
            )
        return self
