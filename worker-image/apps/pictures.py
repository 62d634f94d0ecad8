"""What the example tasks do to pictures, free of Celery, so that both apps share it and it can be tested alone.

The same input gives the same bytes: nothing of the clock or the machine enters an output file.
"""

import hashlib
import tempfile
from io import BytesIO
from pathlib import Path
from typing import TypedDict

from PIL import Image, ImageDraw, ImageFont, ImageOps

FOLDER = Path("/opt/pictures")
"""Where a picture is looked for when its path is relative."""
JPEG_QUALITY = 85


class Picture(TypedDict):
    """What a task returns: the file it wrote, its size in pixels and bytes, and its digest in hexadecimal."""

    path: str
    width: int
    height: int
    bytes: int
    sha256: str


def resize(path: str, width: int, height: int | None = None) -> Picture:
    """Scale to the width in pixels; the height follows the proportions unless it is given."""
    picture = load(path)
    if height is None:
        height = max(1, round(picture.height * width / picture.width))
    return save(picture.resize((width, height), Image.Resampling.LANCZOS), path)


def thumbnail(path: str, size: int) -> Picture:
    """Cut out the centre as a square with sides of `size` pixels."""
    return save(ImageOps.fit(load(path), (size, size), Image.Resampling.LANCZOS), path)


def grayscale(path: str) -> Picture:
    """Take the colours away."""
    return save(ImageOps.grayscale(load(path)), path)


def contact_sheet(paths: list[str], width: int) -> Picture:
    """All on one sheet, two in a row, each cut to `width` pixels and three quarters of that in height."""
    size = (width, width * 3 // 4)
    sheet = Image.new("RGB", (2 * width, -(-len(paths) // 2) * size[1]), "white")
    for place, path in enumerate(paths):
        row, column = divmod(place, 2)
        sheet.paste(ImageOps.fit(load(path), size, Image.Resampling.LANCZOS), (column * size[0], row * size[1]))
    return save(sheet, "sheet.jpg")


def watermark(path: str, text: str) -> Picture:
    """Write the text, half transparent, into the lower right corner."""
    picture = load(path).convert("RGBA")
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    font = ImageFont.load_default(size=max(12, picture.height // 12))
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    corner = (picture.width - right - 8, picture.height - bottom - 8)
    draw.rectangle((corner[0] + left - 4, corner[1] + top - 4, picture.width, picture.height), fill=(0, 0, 0, 96))
    draw.text(corner, text, font=font, fill=(255, 255, 255, 160))
    return save(Image.alpha_composite(picture, layer).convert("RGB"), path)


def load(path: str) -> Image.Image:
    """Read a picture as RGB; FileNotFoundError when there is none.

    Celery keeps an exception's arguments, and those of the system's own error do not name the file.
    """
    if not (FOLDER / path).is_file():
        raise FileNotFoundError(f"there is no picture {path}")
    with Image.open(FOLDER / path) as picture:
        return picture.convert("RGB")


def save(picture: Image.Image, source: str) -> Picture:
    """Write in the source's format, under a name made of the digest: a repeated run writes the same file again."""
    suffix = Path(source).suffix.lower()
    buffer = BytesIO()
    if suffix == ".png":
        picture.save(buffer, format="PNG")
    else:
        picture.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    target = Path(tempfile.gettempdir(), f"{Path(source).stem}-{digest[:12]}{suffix}")
    target.write_bytes(content)
    return {
        "path": str(target),
        "width": picture.width,
        "height": picture.height,
        "bytes": len(content),
        "sha256": digest,
    }
