"""Pictures that people send: what an upload really is, and narrower copies of it. Pure; EXIF (place, device) never survives."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from server.problems import Problem

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
WIDTHS = (160, 480, 800, 1600)
MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 40_000_000  # what a decoder may unfold to; a small file can name a huge picture
Image.MAX_IMAGE_PIXELS = None  # judged by MAX_PIXELS from the header, before a pixel is decoded
STORED_WIDTH = 1600
QUALITY = 82


@dataclass(frozen=True, slots=True)
class Picture:
    """An upright picture without metadata."""

    type: str
    width: int
    height: int
    content: bytes


def read(content: bytes, declared: str) -> Picture:
    """An upload as it is stored: at most 1600 px wide. Raises Problem 415 when the bytes are not the declared picture."""
    if declared not in FORMATS:
        raise Problem(415, "unsupported_media_type", "send image/jpeg, image/png or image/webp")
    try:
        with Image.open(io.BytesIO(content), formats=[FORMATS[declared]]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Problem(413, "too_many_pixels", f"{image.width} x {image.height} pixels; {MAX_PIXELS} at most")
            return _encoded(ImageOps.exif_transpose(image), declared, STORED_WIDTH)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise Problem(415, "not_the_declared_type", f"the bytes are no readable {declared}") from error


def narrowed(content: bytes, stored_type: str, width: int) -> Picture:
    """A stored picture at one of WIDTHS, never wider than it is."""
    with Image.open(io.BytesIO(content)) as image:
        return _encoded(image, stored_type, width)


def _encoded(image: Image.Image, media_type: str, width: int) -> Picture:
    if image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    if media_type == "image/jpeg" and image.mode != "RGB":
        image = image.convert("RGB")
    target = io.BytesIO()
    options = {"optimize": True} if media_type == "image/png" else {"quality": QUALITY}
    image.info.clear()
    image.save(target, FORMATS[media_type], **options)
    return Picture(media_type, image.width, image.height, target.getvalue())
