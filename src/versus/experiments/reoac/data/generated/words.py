"""Who and what the stories are about."""

from typing import NamedTuple


class Person(NamedTuple):
    """A name and its pronouns."""

    name: str
    they: str
    their: str


_SHE = "Mia Ana Lena Priya Zoe Amara Nora Ruth Ines Yuki Leila Carla Freya Hana Olga Tess Maya Ida"
_HE = "Ben Omar Luca Raj Theo Kofi Jonas Hugo Ivan Kenji Samir Pedro Emil Noah Felix Karim Tom Leo"
PEOPLE = (
    *(Person(name, "she", "her") for name in _SHE.split()),
    *(Person(name, "he", "his") for name in _HE.split()),
)
_ITEMS = (
    "apples pears marbles stickers pencils shells books stamps buttons cards coins ribbons beads "
    "plums cookies muffins crayons badges postcards keys magnets acorns tickets balloons"
)
_GOODS = (
    "notebooks pens mugs caps scarves plates candles brushes lamps kites puzzles towels bowls "
    "baskets rulers gloves"
)
ITEMS = tuple(_ITEMS.split())
GOODS = tuple(_GOODS.split())
CONTAINERS = ("bags", "boxes", "packs", "jars", "baskets")
VEHICLES = ("car", "bus", "van", "train", "motorbike")
JOBS = ("bakery", "library", "garage", "farm", "cinema", "bookshop", "zoo", "school")
COLOURS = ("red", "blue", "green", "yellow", "white", "black")
