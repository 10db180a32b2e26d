"""Reading what callers send: JSON, CSV and uploads, none of which is trusted."""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser

from partwell.api.answers import UnsupportedMedia
from partwell.people.imports import read_bytes
from partwell.refusals import Invalid, Refusal

NO_TEXT = "Text holds a NUL or half a character. Remove it."
JSON, CSV, MULTIPART = "application/json", "text/csv", "multipart/form-data"
OCTETS = "application/octet-stream"
# What the description says of an endpoint that reads `file_of`.
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


class BodyUnreadable(Refusal):
    """The body is not what its type says."""

    status = 400


class StrictParser(Parser):
    """JSON that says so, and text that both databases can keep."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """The JSON body. Raises `UnsupportedMedia`, or `BodyUnreadable`."""
        expect(request, JSON)
        try:
            body = json.loads(request.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BodyUnreadable("body_unreadable", f"The body is no JSON: {error}.") from error
        if not _is_text(body):
            raise BodyUnreadable("text_unreadable", NO_TEXT)
        return cast(dict[str, Any], body)

    def parse_querydict(
        self, data: MultiValueDict, list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        """The parameters after the question mark."""
        found = super().parse_querydict(data, list_fields, request)
        for name, value in found.items():
            if not _is_text(name) or not _is_text(value):
                raise Invalid("text_unreadable", NO_TEXT, field=name if _is_text(name) else "")
        return found


def expect(request: HttpRequest, media_type: str) -> None:
    """Raise `UnsupportedMedia` unless the body is of this type."""
    if request.content_type != media_type:
        raise UnsupportedMedia(request.content_type or "", media_type)


def csv_of(request: HttpRequest) -> bytes:
    """The CSV that is the body, or as much of it as shows that it is too large."""
    expect(request, CSV)
    return _streamed(request)


def octets_of(request: HttpRequest) -> bytes:
    """The file of any kind that is the body, or as much of it as shows that it is too large."""
    expect(request, OCTETS)
    return _streamed(request)


def _streamed(request: HttpRequest) -> bytes:
    kept = getattr(request, "_partwell_csv", None)
    if kept is None:
        # Read as a stream, because Django's own limit for bodies in memory is far below a register's size.
        kept = request._partwell_csv = read_bytes(cast(Any, request))  # type: ignore[attr-defined]
    return cast(bytes, kept)


def file_of(request: HttpRequest) -> UploadedFile[Any]:
    """The upload named `file`."""
    expect(request, MULTIPART)
    upload = request.FILES.get("file")
    if not isinstance(upload, UploadedFile) or not upload.name:
        raise Invalid("file_missing", "Send the file as the part named “file”.", field="file")
    return upload


def fingerprint(request: HttpRequest) -> str:
    """What makes two calls the same: method, address and content, whatever the borders of a multipart."""
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type == MULTIPART:
        for name in sorted(request.FILES):
            for upload in request.FILES.getlist(name):
                digest.update(f"{name}\0{upload.name}\0".encode())
                for chunk in upload.chunks():
                    digest.update(chunk)
                upload.seek(0)
    elif request.content_type in (CSV, OCTETS):
        digest.update(_streamed(request))
    else:
        digest.update(request.body)
    return digest.hexdigest()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _is_text(value: Any) -> bool:
    """Whether all text in it can be kept: databases refuse NUL and lone surrogates, late and impolitely."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return all(_is_text(name) and _is_text(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(_is_text(inner) for inner in value)
    return True
