"""Which names a file may have, and what its last part promises about its content."""

from __future__ import annotations

import unicodedata

from partwell.refusals import Invalid

LONGEST_NAME = 200
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "eml": "message/rfc822",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "zip": "application/zip",
}
# What some computer runs, or a browser takes for a page, when somebody opens it.
_RUNNABLE = (
    "app asp aspx bat bash cgi chm cmd com cpl dll dmg exe hta htm html inf iso jar js jse jsp lnk mht mhtml "
    "mjs msc msi msp php php5 phtml pif pl ps1 py rb reg scr sct sh shtml svg svgz swf vb vbe vbs war wsf "
    "xhtml xht xml xsl docm dotm pptm xlsm xltm"
)
RUNNABLE = frozenset(_RUNNABLE.split())
RESERVED = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)}
FORBIDDEN = '/\\:*?"<>|'


def check_name(name: str) -> tuple[str, str]:
    """The name in one Unicode form, and its extension. Raises `Invalid` for one that could mislead."""
    name = unicodedata.normalize("NFC", name)
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            raise _refused(f"the file's name contains the invisible character U+{ord(character):04X}")
        if character in FORBIDDEN:
            raise _refused(f"the name “{name[:80]}” contains “{character}”")
    if len(name) > LONGEST_NAME:
        raise _refused(f"the name has {len(name)} characters, more than {LONGEST_NAME}")
    if name != name.strip() or name.startswith((".", "~")) or name.endswith("."):
        raise _refused(f"the name “{name}” begins or ends with a dot, a space or a tilde")
    stem, *extensions = name.lower().split(".")
    if not stem or stem in RESERVED:
        raise _refused(f"the name “{name}” means something else to a computer")
    if not extensions or extensions[-1] not in MEDIA_TYPES:
        allowed = ", ".join(MEDIA_TYPES)
        raise Invalid(
            "file_type_refused",
            f"“{name}” cannot be taken. Allowed are files of type {allowed}.",
            field="file",
        )
    if any(part.strip() in RUNNABLE or part.strip() in MEDIA_TYPES for part in extensions[:-1]):
        raise _refused(f"the name “{name}” has two extensions")
    return name, extensions[-1]


def _refused(why: str) -> Invalid:
    return Invalid(
        "file_name_refused", f"{why[0].upper()}{why[1:]}. Rename the file, then attach it.", field="file"
    )
