"""The small template once more: with some changes, and as one for a client."""

from __future__ import annotations

from tests.factories import SMALL_TEMPLATE

NEWER = (
    SMALL_TEMPLATE.replace("title: Confirm the notice", "title: Confirm the notice in writing")
    .replace("key: extra, phase: 4", "key: extra, phase: 3")
    .replace("empty_phases: {2", "empty_phases: {4: not needed in a test, 2")
    .replace("Avoid promises about pay", "Avoid any promise")
)
OTHER = SMALL_TEMPLATE.replace("id: small", "id: small-client").replace("audience: staff", "audience: client")
OTHER = OTHER.replace("account_manager: no clients here, ", "").replace('when: "person.manages_people", ', "")
OTHER = OTHER.replace("role: line_manager", "role: account_manager").replace(
    "empty_roles: {", "empty_roles: {line_manager: nobody manages a client, "
)
