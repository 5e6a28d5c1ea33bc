"""The mark that says how a picture was made: IPTC's digital source type and a list of edits, as an XMP packet.

It is a label for people and programs that read it; anybody can remove it. In PNG it is the iTXt chunk
"XML:com.adobe.xmp", in JPEG an APP1 segment, in WebP a chunk of its own.

Source: IPTC Photo Metadata Standard, "Digital Source Type"; ISO 16684-1 (XMP).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from PIL import ExifTags, Image, PngImagePlugin

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
AGENT = "Face Part Fusion"
FORMATS = ("png", "jpeg", "webp")

_PNG_KEY = "XML:com.adobe.xmp"
_JPEG_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
# Bytes: the length of a JPEG segment is two bytes and counts itself.
_JPEG_LIMIT = 0xFFFF - 2

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description \
rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" \
xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#">
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>
<xmp:CreatorTool>{agent}</xmp:CreatorTool>
<xmpMM:History><rdf:Seq>
{events}
</rdf:Seq></xmpMM:History>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def xmp_packet(edits: Sequence[str]) -> str:
    """The XMP packet that lists `edits`, one sentence each. Raises ValueError when there are none."""
    if not edits:
        raise ValueError("there is no edit to write down; name at least one, for example 'eyes replaced'")
    events = "\n".join(
        '<rdf:li rdf:parseType="Resource"><stEvt:action>edited</stEvt:action>'
        f"<stEvt:softwareAgent>{AGENT}</stEvt:softwareAgent><stEvt:parameters>{_text(edit)}</stEvt:parameters></rdf:li>"
        for edit in edits
    )
    return _PACKET.format(source=SOURCE_TYPE, agent=AGENT, events=events)


def save_picture(
    image: Image.Image, path: Path, kind: str, *, edits: Sequence[str] = (), quality: int = 95,
    texts: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write an image (as JPEG without alpha), the colour profile and EXIF data in its `info`, and the mark of `edits`.

    `kind`: one of FORMATS.
    `edits`: one sentence each.
    `quality`: of JPEG and WebP, 1..100.
    `texts`: further texts by key, such as ComfyUI's "prompt" and "workflow". They become text chunks of a PNG, and in
        WebP the EXIF tags from which ComfyUI reads them; a JPEG is written without them, as ComfyUI reads none there.
    `options`: of Pillow's writer for that kind, instead of `quality` and our others.

    Raises ValueError for another kind, and for edits that do not fit into a JPEG segment (64 KB).
    """
    if kind not in FORMATS:
        raise ValueError(f"the format is '{kind}'; choose one of {', '.join(FORMATS)}")
    packet = xmp_packet(edits) if edits else ""
    kept: dict[str, Any] = {"icc_profile": image.info.get("icc_profile")}
    if image.info.get("exif"):
        kept["exif"] = image.info["exif"]
    if kind == "png":
        information = PngImagePlugin.PngInfo()
        for key, text in (texts or {}).items():
            information.add_text(key, text)
        if packet:
            information.add_itxt(_PNG_KEY, packet)
        image.save(path, "PNG", **{"compress_level": 4, **(options or {})}, pnginfo=information, **kept)
    elif kind == "webp":
        written = {"quality": quality, "exif": _exif(texts or {}), **(options or {}), **kept}
        image.save(path, "WEBP", **written, xmp=packet.encode())
    else:
        written = {"quality": quality, "subsampling": 0, **(options or {})}
        image.save(path, "JPEG", **written, extra=_segment(packet) if packet else b"", **kept)


def _exif(texts: Mapping[str, str]) -> Image.Exif:
    """ "key:text" in the tags that ComfyUI reads: the prompt in Model, all others from Make downwards."""
    exif, tag = Image.Exif(), int(ExifTags.Base.Make)
    for key, text in texts.items():
        if key == "prompt":
            exif[ExifTags.Base.Model] = f"{key}:{text}"
        else:
            exif[tag] = f"{key}:{text}"
            tag -= 1
    return exif


def _segment(packet: str) -> bytes:
    body = _JPEG_HEADER + packet.encode()
    if len(body) > _JPEG_LIMIT:
        raise ValueError(
            f"the list of edits takes {len(body)} bytes, a JPEG holds {_JPEG_LIMIT}; shorten it or use png"
        )
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def _text(text: str) -> str:
    """Text for XML 1.0, which does not allow most control characters."""
    return escape("".join(c for c in text if c in "\t\n" or c >= " "))
