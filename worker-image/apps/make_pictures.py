"""Draws the eight pictures that the examples work on, so that no binary files need to be kept in the repository."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = (640, 480)
PICTURES = ("dawn.jpg", "dune.jpg", "fern.jpg", "harbor.jpg", "meadow.png", "night.png", "reef.png", "slate.png")


def draw(number: int) -> Image.Image:
    """A sky with a sun and three hills, in colours that depend on the number."""
    top, bottom = (40 * number % 256, 90, 200 - 20 * number), (250, 180 - 15 * number, 30 * number % 256)
    sky = Image.linear_gradient("L").resize(SIZE)
    picture = Image.composite(Image.new("RGB", SIZE, bottom), Image.new("RGB", SIZE, top), sky)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((60 * number + 20, 60, 60 * number + 120, 160), fill=(255, 240, 190 - 10 * number))
    for hill in range(3):
        left = 220 * hill - 30 * number
        pen.ellipse((left, 320 + 30 * hill, left + 420, 700), fill=(20 + 20 * hill, 100 - 8 * number, 60 + 10 * number))
    return picture


def main(folder: Path) -> None:
    """Write all pictures into the folder, which is made when it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(PICTURES):
        draw(number).save(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
