"""Contact sheets: many pictures on one, small, each with a line of text."""

import math
from collections.abc import Sequence as Several

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.uint8]
"""RGB, ``[H, W, 3]``."""
CELL = 256
"""Longest side of a small picture."""
COLUMNS = 5
TEXT, MARGIN = 14, 8
BACKGROUND, INK = (255, 255, 255), (40, 40, 40)


def contact_sheet(small: Several[Image.Image], captions: Several[str]) -> Image.Image:
    """Small pictures in rows from left to right, each above its caption.

    Rows hold five pictures; where there are more than 25, as many as there are rows.

    Args:
        small: see :func:`thumbnail`; one at least.
        captions: as many.
    """
    width, height = max(one.width for one in small), max(one.height for one in small)
    columns = min(len(small), max(COLUMNS, math.ceil(math.sqrt(len(small)))))
    across, down = width + MARGIN, height + TEXT + 2 * MARGIN
    size = (MARGIN + columns * across, MARGIN + math.ceil(len(small) / columns) * down)
    sheet = Image.new("RGB", size, BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for number, (one, caption) in enumerate(zip(small, captions, strict=True)):
        left, top = MARGIN + number % columns * across, MARGIN + number // columns * down
        sheet.paste(one, (left + (width - one.width) // 2, top + (height - one.height) // 2))
        pen.text((left, top + height + MARGIN // 2), caption, fill=INK, font=font)
    return sheet


def thumbnail(picture: Picture) -> Image.Image:
    """Scaled to fit into a cell; a smaller picture is enlarged, so that all look alike."""
    image = Image.fromarray(picture)
    scale = CELL / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)
